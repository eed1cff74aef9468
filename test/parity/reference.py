"""The parity programs in JAX, float64 on the CPU: the same data, initial parameters and formulas as the .opt twins, written independently.

    python reference.py FOLDER [CASE]

Reads FOLDER/{digits,dann,rules,optax}.npz, FOLDER/init-*.npz and what FOLDER/workloads.json names; writes FOLDER/CASE.expected.npz with one array a report, `RUN/report/NAME`
of the values by step, and one a parameter, `RUN/cell/NAME`, after the last step (RUN is empty for files of one run).
Gradients are JAX's; the update rules of `rules` are written out from their papers, in numpy's words; those of `optax` are Optax's own, but for diffGrad, SAM
and gradient centralization, which it does not have (or not in this form), and which are written out here. The workloads of the benchmarks are in workloads.py.
"""
import json
import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax

jax.config.update("jax_enable_x64", True)
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import workloads

STEPS = 20


def load(folder, name):
    with np.load(os.path.join(folder, name + ".npz")) as z:
        return {k: np.asarray(z[k], np.int64 if z[k].dtype.kind in "iu" else np.float64) for k in z}


def parameters(folder, name):
    """Initial parameters; the axis of one row that the files have is taken off."""
    return {k: jnp.asarray(v[0]) for k, v in load(folder, "init-" + name).items()}


def mlp(p, x, prefix, layers, activation, last):
    for l in range(1, layers + 1):
        x = x @ p[f"{prefix}W{l}"] + p[f"{prefix}b{l}"]
        if last or l < layers:
            x = activation(x)
    return x


def relu(x):
    return jnp.where(x > 0, x, 0.0)


def cross_entropy(z, y):
    z = z - jnp.max(z, axis=1, keepdims=True)
    return jnp.mean(jnp.log(jnp.sum(jnp.exp(z), axis=1)) - z[jnp.arange(len(y)), y])


# Rules: (p, g, state, k) -> (p, state), with k = 1, 2, … and trees as dicts. State starts at zero.
def sgd(lr, momentum=0.0, nesterov=False):
    def rule(p, g, s, k):
        m = {n: momentum * s["m"][n] + g[n] for n in p}
        d = {n: g[n] + momentum * m[n] for n in p} if nesterov else m
        return {n: p[n] - lr * d[n] for n in p}, {"m": m}

    return rule


def adam(lr, b1=0.9, b2=0.999, eps=1e-8, decoupled=0.0):
    def rule(p, g, s, k):
        m = {n: b1 * s["m"][n] + (1 - b1) * g[n] for n in p}
        v = {n: b2 * s["v"][n] + (1 - b2) * g[n] ** 2 for n in p}
        unbiased = {n: (m[n] / (1 - b1**k)) / (jnp.sqrt(v[n] / (1 - b2**k)) + eps) for n in p}
        return {n: p[n] - lr * (unbiased[n] + decoupled * p[n]) for n in p}, {"m": m, "v": v}

    return rule


def rmsprop(lr, rho=0.9, eps=1e-8):
    def rule(p, g, s, k):
        v = {n: rho * s["v"][n] + (1 - rho) * g[n] ** 2 for n in p}
        return {n: p[n] - lr * g[n] / (jnp.sqrt(v[n]) + eps) for n in p}, {"v": v}

    return rule


def adagrad(lr, eps=1e-10):
    def rule(p, g, s, k):
        v = {n: s["v"][n] + g[n] ** 2 for n in p}
        return {n: p[n] - lr * g[n] / (jnp.sqrt(v[n]) + eps) for n in p}, {"v": v}

    return rule


def after(change, rule):
    """The gradient is changed before the rule sees it."""
    return lambda p, g, s, k: rule(p, change(p, g), s, k)


def clip_by_norm(c):
    def change(p, g):
        norm = jnp.sqrt(sum(jnp.sum(v**2) for v in g.values()))
        return {n: v * jnp.minimum(1.0, c / norm) for n, v in g.items()}

    return change


def then_shrink(rule, rate):
    def shrunk(p, g, s, k):
        p, s = rule(p, g, s, k)
        return {n: v - rate * v for n, v in p.items()}, s

    return shrunk


RULES = {
    "sgd_plain": sgd(0.5),
    "sgd_momentum": sgd(0.1, momentum=0.9),
    "sgd_nesterov": sgd(0.1, momentum=0.9, nesterov=True),
    "adam_default": adam(1e-2),
    "adamw_default": adam(1e-2, decoupled=0.1),
    "rmsprop_default": rmsprop(1e-2),
    "adagrad_default": adagrad(1e-1),
    "clipped": after(clip_by_norm(0.1), sgd(0.5)),
    "clipped_value": after(lambda p, g: {n: jnp.clip(v, -0.01, 0.01) for n, v in g.items()}, sgd(0.5)),
    "decayed": after(lambda p, g: {n: g[n] + 0.1 * p[n] for n in p}, sgd(0.5, momentum=0.5)),
    "shrunk": then_shrink(adam(1e-2), 1e-2),
}


def train(p, rule, direction, steps=STEPS, extra=None):
    """`direction(p, step)` gives (reports, gradient). Returns the reports by name and the last parameters."""
    zero = {n: jnp.zeros_like(v) for n, v in p.items()}
    state = {"m": zero, "v": zero, **(extra or {})}
    reports = {}
    direction, rule = jax.jit(direction), jax.jit(rule)
    for step in range(steps):
        values, g = direction(p, step)
        for name, value in values.items():
            reports.setdefault(name, []).append(float(value))
        p, moved = rule(p, g, state, step + 1)
        state = {**state, **moved}
    return reports, p


def digits(folder):
    data, batch = load(folder, "digits"), 64
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])

    def direction(p, step):
        bx = jax.lax.dynamic_slice_in_dim(x, step * batch, batch)
        by = jax.lax.dynamic_slice_in_dim(y, step * batch, batch)
        loss, g = jax.value_and_grad(lambda q: cross_entropy(mlp(q, bx, "", 3, relu, False), by))(p)
        return {"loss": loss}, g

    return {"": train(parameters(folder, "digits"), adam(1e-3), direction)}


def dann(folder):
    """Without a reversal op: the features descend label - lambda * domain, the heads descend their own losses. That is the definition it must meet."""
    data, batch = load(folder, "dann"), 64
    xs, ys, xt = (jnp.asarray(data[k]) for k in ("xs", "ys", "xt"))

    def losses(p, bs, by, bt):
        z = mlp(p, jnp.concatenate([bs, bt]), "f", 3, relu, True)
        label = cross_entropy(mlp(p, z[:batch], "l", 1, relu, False), by)
        d = mlp(p, z, "d", 2, relu, False)[:, 0]
        # -log(1 - sigmoid(d)) for source, -log(sigmoid(d)) for target
        domain = (jnp.sum(jnp.logaddexp(0.0, d[:batch])) + jnp.sum(jnp.logaddexp(0.0, -d[batch:]))) / (2 * batch)
        return label, domain

    def direction(p, step):
        bs, by, bt = (jax.lax.dynamic_slice_in_dim(a, step * batch, batch) for a in (xs, ys, xt))
        lam = 2 / (1 + jnp.exp(-10 * step / STEPS)) - 1
        label, g_label = jax.value_and_grad(lambda q: losses(q, bs, by, bt)[0])(p)
        domain, g_domain = jax.value_and_grad(lambda q: losses(q, bs, by, bt)[1])(p)
        g = {n: g_label[n] + (-lam if n.startswith("f") else 1.0) * g_domain[n] for n in p}
        return {"label": label, "domain": domain}, g

    return {"": train(parameters(folder, "dann"), sgd(0.01, momentum=0.9), direction)}


def rules(folder):
    data = load(folder, "rules")
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])

    def direction(p, step):
        loss, g = jax.value_and_grad(lambda q: cross_entropy(mlp(q, x, "", 2, jnp.tanh, False), y))(p)
        return {"loss": loss}, g

    return {name: train(parameters(folder, "rules"), rule, direction) for name, rule in RULES.items()}


def apply(tx, p, g, state):
    updates, state = tx.update(g, state, p)
    return optax.apply_updates(p, updates), state


def on_matrices(tx):
    return optax.masked(tx, {"W1": True, "b1": False, "W2": True, "b2": False})


OPTAX = {
    "amsgrad_default": optax.amsgrad(1e-2),
    "adadelta_default": optax.adadelta(1.0),
    "lion_decayed": optax.lion(1e-3, weight_decay=0.1),
    "lamb_decayed": optax.lamb(1e-2, weight_decay=0.01),
    # Optax's muon serves vectors by a Nesterov Adam; here they get plain Adam.
    "muon_matrices": optax.multi_transform(
        {"matrix": optax.contrib.muon(0.02, weight_decay=0.01), "vector": optax.adam(1e-2)},
        {"W1": "matrix", "b1": "vector", "W2": "matrix", "b2": "vector"},
    ),
    "ema_sgd": optax.chain(optax.ema(0.9, debias=True), optax.sgd(0.5)),
    "ema_biased": optax.chain(optax.ema(0.9, debias=False), optax.sgd(0.5)),
    "agc_sgd": optax.chain(on_matrices(optax.adaptive_grad_clip(0.01)), optax.sgd(0.5)),
}


def clip_leaves(c):
    return lambda p, g: {n: v * jnp.minimum(1.0, c / jnp.linalg.norm(v)) for n, v in g.items()}


def diffgrad(lr, b1=0.9, b2=0.999, eps=1e-8):
    plain = adam(lr, b1, b2, eps)

    def rule(p, g, s, k):
        q, moved = plain(p, g, s, k)
        friction = {n: 1 / (1 + jnp.exp(-jnp.abs(s["before"][n] - g[n]))) for n in p}
        return {n: p[n] + friction[n] * (q[n] - p[n]) for n in p}, {**moved, "before": g}

    return rule


def optax_rules(folder):
    data = load(folder, "optax")
    x, y = jnp.asarray(data["x"]), jnp.asarray(data["y"])
    loss = lambda q: cross_entropy(mlp(q, x, "", 2, jnp.tanh, False), y)

    def direction(p, step):
        value, g = jax.value_and_grad(loss)(p)
        return {"loss": value}, g

    def sharp(p, step):
        value, g = jax.value_and_grad(loss)(p)
        norm = jnp.sqrt(sum(jnp.sum(v**2) for v in g.values()))
        return {"loss": value}, jax.grad(loss)({n: p[n] + 0.05 * g[n] / norm for n in p})

    def library(tx):
        p = parameters(folder, "optax")
        state, losses = tx.init(p), []
        for step in range(STEPS):
            values, g = direction(p, step)
            losses.append(float(values["loss"]))
            p, state = apply(tx, p, g, state)
        return {"loss": losses}, p

    def looking_ahead():
        tx = optax.lookahead(optax.sgd(0.1, momentum=0.9), sync_period=5, slow_step_size=0.5)
        p = optax.LookaheadParams.init_synced(parameters(folder, "optax"))
        state, losses = tx.init(p), []
        for step in range(STEPS):
            values, g = direction(p.fast, step)
            losses.append(float(values["loss"]))
            p, state = apply(tx, p, g, state)
        return {"loss": losses}, p.fast

    start = lambda: parameters(folder, "optax")
    centred = lambda p, g: {n: v - jnp.mean(v, axis=0) if v.ndim == 2 else v for n, v in g.items()}
    before = {n: jnp.zeros_like(v) for n, v in start().items()}
    return {
        **{name: library(tx) for name, tx in OPTAX.items()},
        "lookahead_sgd": looking_ahead(),
        "diffgrad_default": train(start(), diffgrad(1e-2), direction, extra={"before": before}),
        "sam_sgd": train(start(), sgd(0.5), sharp),
        "centralized": train(start(), after(centred, sgd(0.5)), direction),
        "clipped_leaves": train(start(), after(clip_leaves(0.05), sgd(0.5)), direction),
    }


optax_rules.__name__ = "optax"


def write(folder, name, runs):
    """`runs`: (reports, cells) by the name of the run."""
    arrays = {}
    for run, (reports, cells) in runs.items():
        arrays.update({f"{run}/report/{k}": np.array(v) for k, v in reports.items()})
        arrays.update({f"{run}/cell/{k}": np.atleast_1d(v) for k, v in cells.items()})
    np.savez(os.path.join(folder, name + ".expected.npz"), **arrays)


def main(folder, only=None):
    for case in (digits, dann, rules, optax_rules):
        if only in (None, case.__name__):
            write(folder, case.__name__, case(folder))
    with open(os.path.join(folder, "workloads.json")) as f:
        settings = json.load(f)
    for name, of in settings.items():
        if only not in (None, name):
            continue
        given = {k: jnp.asarray(v[0]) for k, v in load(folder, name).items()}
        # What else a case sets the shapes of its arrays say.
        others = {k: of["set"][k] for k in ("inner", "heads") if k in of["set"]}
        write(folder, name, {"": workloads.run(of["spec"], given, of["steps"], **others)})


if __name__ == "__main__":
    main(*sys.argv[1:3])

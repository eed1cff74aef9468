"""The workloads of the benchmarks (bench/workloads/*.opt) in JAX, float64 on the CPU, written independently: `run(name, given, steps)` gives the
reports by name, each a list of values by step, and the cells after the last step under the ends of Saddle's paths.

Gradients are JAX's; the Hessian-vector product is forward over reverse; the convolution is XLA's. `given` holds the arrays of the case, which also say
the sizes; numbers written in the specs (rates, coefficients) are written here again.
"""
import jax
import jax.numpy as jnp

relu = lambda x: jnp.where(x > 0, x, 0.0)


def cross_entropy(z, y):
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - z[jnp.arange(len(y)), y])


def perceptron(p, x, prefix="", layers=3):
    for l in range(1, layers + 1):
        x = x @ p[f"{prefix}W{l}"] + p[f"{prefix}b{l}"]
        x = relu(x) if l < layers else x
    return x


def without(given, *names):
    return {n: v for n, v in given.items() if n not in names}


def adam(p, g, m, v, k, lr):
    m = jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, m, g)
    v = jax.tree.map(lambda a, b: 0.999 * a + 0.001 * b * b, v, g)
    move = lambda a, b, c: a - lr * (b / (1 - 0.9**k)) / (jnp.sqrt(c / (1 - 0.999**k)) + 1e-8)
    return jax.tree.map(move, p, m, v), m, v


def by_adam(p, loss, steps, lr=1e-3):
    m = v = jax.tree.map(jnp.zeros_like, p)
    values = []

    @jax.jit
    def step(p, m, v, k):
        value, g = jax.value_and_grad(loss)(p)
        return value, *adam(p, g, m, v, k, lr)

    for k in range(1, steps + 1):
        value, p, m, v = step(p, m, v, float(k))
        values.append(float(value))
    return values, p


def mlp(given, steps):
    x, y = given["x"], given["y"]
    values, p = by_adam(without(given, "x", "y"), lambda p: cross_entropy(perceptron(p, x), y), steps)
    return {"loss": values}, p


def dann(given, steps):
    """Without a reversal: the features descend label - 0.5 * domain, the heads their own losses."""
    xs, ys, xt = given["xs"], given["ys"], given["xt"]
    rows = len(ys)

    def losses(p):
        z = relu(perceptron(p, jnp.concatenate([xs, xt]), "f", 2))
        d = perceptron(p, z, "d", 2)[:, 0]
        domain = (jnp.sum(jnp.logaddexp(0.0, d[:rows])) + jnp.sum(jnp.logaddexp(0.0, -d[rows:]))) / (2 * rows)
        return jnp.stack([cross_entropy(perceptron(p, z[:rows], "l", 1), ys), domain])

    p = without(given, "xs", "ys", "xt")
    m = {n: jnp.zeros_like(v) for n, v in p.items()}
    reports = {"label": [], "domain": []}
    jacobian = jax.jit(jax.jacrev(losses))
    for _ in range(steps):
        label, domain = losses(p)
        reports["label"].append(float(label))
        reports["domain"].append(float(domain))
        g = {n: v[0] + (-0.5 if n.startswith("f") else 1.0) * v[1] for n, v in jacobian(p).items()}
        m = {n: 0.9 * m[n] + g[n] for n in p}
        p = {n: p[n] - 0.01 * m[n] for n in p}
    return reports, p


def cnn(given, steps):
    x, y = given["x"], given["y"]

    def conv(x, k):
        return jax.lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def pool(x):
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    def loss(p):
        h = pool(relu(conv(x, p["K1"]) + p["c1"]))
        h = pool(relu(conv(h, p["K2"]) + p["c2"]))
        return cross_entropy(h.reshape(len(y), -1) @ p["W"] + p["b"], y)

    p, values = without(given, "x", "y"), []
    both = jax.jit(jax.value_and_grad(loss))
    for _ in range(steps):
        value, g = both(p)
        values.append(float(value))
        p = {n: p[n] - 0.05 * g[n] for n in p}
    return {"loss": values}, p


def transformer(given, steps, heads=4):
    tokens = given["tokens"]
    of_net = ("E", "P", "nf", "sf", "Wh", "bh")
    depth = len(given["Wq"])

    def norm(x, scale, shift):
        c = x - jnp.mean(x, axis=-1, keepdims=True)
        return c / jnp.sqrt(jnp.mean(c * c, axis=-1, keepdims=True) + 1e-5) * scale + shift

    def attend(a, p, l):
        b, t, d = a.shape
        q, k, v = ((a @ p["W" + n][l] + (0 if n == "k" else p["b" + n][l])).reshape(b, t, heads, d // heads) for n in "qkv")
        scores = jnp.einsum("bihd,bjhd->bhij", q, k) / jnp.sqrt(d / heads)
        weights = jax.nn.softmax(jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -jnp.inf))
        return jnp.einsum("bhij,bjhd->bihd", weights, v).reshape(b, t, d) @ p["Wo"][l] + p["bo"][l]

    def loss(p):
        x = p["E"][tokens[:, :-1]] + p["P"]
        for l in range(depth):
            x = x + attend(norm(x, p["n1"][l], p["s1"][l]), p, l)
            inner = jax.nn.gelu(norm(x, p["n2"][l], p["s2"][l]) @ p["W1"][l] + p["b1"][l], approximate=True)
            x = x + inner @ p["W2"][l] + p["b2"][l]
        z = norm(x, p["nf"], p["sf"]) @ p["Wh"] + p["bh"]
        return cross_entropy(z.reshape(-1, z.shape[-1]), tokens[:, 1:].reshape(-1))

    values, p = by_adam(without(given, "tokens"), loss, steps)
    cells = {n: p[n] for n in of_net}
    for n in p:
        if n not in of_net:
            cells.update({f"block_0[{l}].{n}": p[n][l] for l in range(depth)})
    return {"loss": values}, cells


def matmul(given, steps):
    C = given["C"]
    for _ in range(steps):
        C = given["A"] @ C
    return {}, {"C": C}


def chain(given, steps):
    x = given["x"]
    s = 1 / (1 + jnp.exp(-x))
    y = jnp.tanh(0.7 * x - 0.2) * s + 0.3 * x * x - 0.5 * jnp.exp(-x * x) + 0.1 * relu(x)
    return {"total": [float(jnp.sum(y))] * steps}, {"y": y}


def softmax(given, steps):
    return {}, {"y": jax.nn.softmax(given["x"], axis=-1)}


def layernorm(given, steps):
    x = given["x"]
    y = (x - x.mean(1, keepdims=True)) / jnp.sqrt(x.var(1, keepdims=True) + 1e-5)
    return {}, {"y": y * given["scale"] + given["shift"]}


def hvp(given, steps):
    names = ("W1", "b1", "W2", "b2")
    p, v = {n: given[n] for n in names}, {n: given["v" + n] for n in names}
    out = lambda p: (jnp.tanh(given["x"] @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"])[:, 0]
    loss = lambda p: jnp.mean((out(p) - given["y"]) ** 2)
    return {}, {"h" + n: h for n, h in jax.jvp(jax.grad(loss), (p,), (v,))[1].items()}


def adam10m(given, steps):
    p, g = ({l: a[l] for l in range(len(a))} for a in (given["p"], given["g"]))
    m = v = {l: jnp.zeros_like(a) for l, a in p.items()}
    step = jax.jit(lambda p, m, v, k: adam(p, g, m, v, k, 1e-3))
    for k in range(1, steps + 1):
        p, m, v = step(p, m, v, float(k))
    return {}, {f"P.matrix[{l}].p": a for l, a in p.items()}


def rosenbrock(given, steps, inner):
    f = lambda x: (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    x, m, v, k = given["x"], jnp.zeros(2), jnp.zeros(2), 1.0

    @jax.jit
    def many(x, m, v, k):
        turn = lambda _, c: (*adam(c[0], jax.grad(f)(c[0]), c[1], c[2], c[3], 1e-3), c[3] + 1)
        return jax.lax.fori_loop(0, inner, turn, (x, m, v, k))

    values = []
    for _ in range(steps):
        x, m, v, k = many(x, m, v, k)
        values.append(float(f(x)))
    return {"value": values}, {"x": x}


def auglag(given, steps):
    A, b = given["A"], given["b"]
    x, lam = jnp.zeros(A.shape[1]), jnp.zeros(A.shape[0])
    lagrangian = lambda x, lam: 0.5 * x @ x + lam @ (A @ x - b) + 0.5 * jnp.sum((A @ x - b) ** 2)
    slope = jax.jit(jax.grad(lagrangian))
    values = []
    for _ in range(steps):
        for _ in range(10):
            x = x - 0.05 * slope(x, lam)
        lam = lam + A @ x - b
        values.append(float(0.5 * x @ x))
    return {"value": values}, {"x": x, "lam": lam}


def ortho(given, steps):
    loss = lambda p, i: cross_entropy(perceptron(p, given["x"][i]), given["y"][i])
    both = jax.jit(jax.value_and_grad(loss))
    p, reports = without(given, "x", "y"), {"l1": [], "l2": []}
    for _ in range(steps):
        (l1, g1), (l2, g2) = both(p, 0), both(p, 1)
        reports["l1"].append(float(l1))
        reports["l2"].append(float(l2))
        share = {n: jnp.vdot(g2[n], g1[n]) / jnp.vdot(g1[n], g1[n]) for n in p}
        p = {n: p[n] - 0.05 * (g1[n] + g2[n] - share[n] * g1[n]) for n in p}
    return reports, p


CASES = [mlp, dann, cnn, transformer, matmul, chain, softmax, layernorm, hvp, adam10m, rosenbrock, auglag, ortho]


def run(name, given, steps, **settings):
    return next(c for c in CASES if c.__name__ == name)(given, steps, **settings)

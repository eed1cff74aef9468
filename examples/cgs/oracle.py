"""The comparison of compare.opt in JAX, float64: python oracle.py SEEDS [glorot|torch]  (pip install "jax[cpu]")

Written from the description, with draws of its own. The fixed point is 60 turns, differentiated step by step (0.8^60 = 1.5e-6): no implicit derivative is in it. Prints the error over the variance of
the target at 20 and at 40 points, for each seed. `torch` starts weights and biases as PyTorch's Linear does.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
SEEDS = int(sys.argv[1])
INIT = sys.argv[2] if len(sys.argv) > 2 else "glorot"
LAYERS = [(7, 32), (32, 16), (11, 32), (32, 8), (8, 32), (32, 1)]


def graph(key, n):
    a, b, c = jax.random.split(key, 3)
    p = jax.random.uniform(a, (n, 2))
    upper = jnp.triu(jax.random.uniform(b, (n, n), minval=0.2, maxval=1))
    r = jax.random.uniform(c, (n,))
    d = ((p[:, None] - p[None]) ** 2).sum(-1)
    near = d <= jnp.sort(d, 1)[:, 4:5]
    edge = ((near | near.T) & ~jnp.eye(n, dtype=bool)).astype(r.dtype)
    w = edge * (upper + upper.T - jnp.diag(jnp.diag(upper)))
    deg = w.sum(0)
    map_ = 0.8 * w / deg[None, :]
    x = jax.lax.fori_loop(0, 150, lambda i, x: map_ @ x + r, r)
    return {"edge": edge, "w": w, "r": r, "deg": deg, "x": x}


def graphs(key, count, n):
    return jax.vmap(lambda k: graph(k, n))(jax.random.split(key, count))


def linear(key, i, o):
    a, b = jax.random.split(key)
    if INIT == "torch":
        s = 1 / np.sqrt(i)
        return jax.random.uniform(a, (i, o), minval=-s, maxval=s), jax.random.uniform(b, (o,), minval=-s, maxval=s)
    s = np.sqrt(6 / (i + o))
    return jax.random.uniform(a, (i, o), minval=-s, maxval=s), jnp.zeros(o)


def mlp(x, first, second):
    return jax.nn.relu(x @ first[0] + first[1]) @ second[0] + second[1]


def turns(count):
    return lambda A, b: jax.lax.scan(lambda z, _: (0.8 * A @ z + b, None), jnp.zeros_like(b), None, length=count)[0]


CORES = {"fixed point": turns(60), "none": lambda A, b: b, "three turns": turns(3)}


def net(P, g, core):
    n = len(g["r"])
    h = jnp.stack([g["r"], jnp.ones(n), g["deg"]], 1)
    pair = [jnp.broadcast_to(h[:, None], (n, n, 3)), jnp.broadcast_to(h[None], (n, n, 3)), g["w"][:, :, None]]
    e = mlp(jnp.concatenate(pair, 2), P[0], P[1])
    A = g["edge"][:, :, None] * jnp.clip(e[:, :, :8], 0, 1) / g["edge"].sum(0)[None, :, None]
    m = jnp.einsum("ij,ijc->ic", g["edge"], e[:, :, 8:])
    b = mlp(jnp.concatenate([h, m], 1), P[2], P[3])
    z = jax.vmap(core, in_axes=(2, 1), out_axes=1)(A, b)
    return mlp(z, P[4], P[5])[:, 0]


def loss(P, G, core):
    return jnp.mean(jax.vmap(lambda g: jnp.mean((net(P, g, core) - g["x"]) ** 2))(G))


def train(seed, core):
    start, data, small, large = jax.random.split(jax.random.PRNGKey(seed), 4)
    P = [linear(k, *shape) for k, shape in zip(jax.random.split(start, len(LAYERS)), LAYERS)]
    zero = jax.tree.map(jnp.zeros_like, P)

    def step(carry, k):
        P, m, v, G = carry
        G = jax.lax.cond(k % 8 == 0, lambda: graphs(jax.random.fold_in(data, k), 16, 20), lambda: G)
        g = jax.grad(loss)(P, G, core)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        t = k + 1.0
        move = lambda p, m, v: p - 3e-3 * (m / (1 - 0.9**t)) / (jnp.sqrt(v / (1 - 0.999**t)) + 1e-8)
        return (jax.tree.map(move, P, m, v), m, v, G), None

    (P, *_), _ = jax.lax.scan(step, (P, zero, zero, graphs(data, 16, 20)), jnp.arange(300))
    G, H = graphs(small, 128, 20), graphs(large, 64, 40)
    return loss(P, G, core) / jnp.var(G["x"]), loss(P, H, core) / jnp.var(H["x"])


for name, core in CORES.items():
    e20, e40 = jax.jit(jax.vmap(lambda s: train(s, core)))(jnp.arange(1, SEEDS + 1))
    print(INIT, name, "20 points:", np.round(np.asarray(e20), 4), "40 points:", np.round(np.asarray(e40), 4), flush=True)

"""The experiment of zipf.opt in JAX, with draws of its own: ratios of directional sharpness and of the falls, for seeds on the command line."""
import sys

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

V, T, W = 50, 12, 24


def zipf(a):
    p = jnp.arange(1.0, V + 1) ** -a
    return p / p.sum()


def language(key):
    orders = jax.vmap(lambda k: jax.random.permutation(k, V))(jax.random.split(key, V))
    return 0.7 * zipf(1.5)[orders] + 0.3 * zipf(1.2)


def texts(key, bigram, n):
    keys = jax.random.split(key, T + 1)
    begin = jax.random.categorical(keys[0], jnp.log(zipf(1.2)), shape=(n,))

    def follow(last, k):
        token = jax.random.categorical(k, jnp.log(bigram[last]))
        return token, token

    _, rest = jax.lax.scan(follow, begin, keys[1:])
    return jnp.concatenate([begin[:, None], rest.T], axis=1)


def init(key):
    keys = iter(jax.random.split(key, 32))

    def linear(i, o):
        limit = (6 / (i + o)) ** 0.5
        return {'W': jax.random.uniform(next(keys), (i, o), minval=-limit, maxval=limit), 'b': jnp.zeros(o)}

    def norm():
        return {'scale': jnp.ones(W), 'shift': jnp.zeros(W)}

    def block():
        names = {name: linear(W, W) for name in 'qkvo'}
        return {**names, 'n1': norm(), 'n2': norm(), 'wide': linear(W, 4 * W), 'narrow': linear(4 * W, W)}

    return {
        'E': jax.random.normal(next(keys), (V, W)) / W**0.5,
        'place': 0.1 * jax.random.normal(next(keys), (T, W)),
        'blocks': [block(), block()],
        'norm': norm(),
        'head': linear(W, V),
    }


def loss(p, t):
    def linear(w, x):
        return x @ w['W'] + w['b']

    def norm(w, x):
        c = x - x.mean(-1, keepdims=True)
        return c / jnp.sqrt((c**2).mean(-1, keepdims=True) + 1e-5) * w['scale'] + w['shift']

    h = p['E'][t[:, :-1]] + p['place']
    for b in p['blocks']:
        x = norm(b['n1'], h)
        scores = linear(b['q'], x) @ linear(b['k'], x).swapaxes(1, 2) / W**0.5
        scores = jnp.where(jnp.tril(jnp.ones((T, T), bool)), scores, -1e30)
        h = h + linear(b['o'], jax.nn.softmax(scores) @ linear(b['v'], x))
        h = h + linear(b['narrow'], jax.nn.gelu(linear(b['wide'], norm(b['n2'], h)), approximate=True))
    z = jax.nn.log_softmax(linear(p['head'], norm(p['norm'], h)))
    return -jnp.take_along_axis(z, t[:, 1:, None], axis=-1).mean()


def measure(p, key, bigram):
    x, unravel = ravel_pytree(p)
    k1, k2 = jax.random.split(key)
    t = texts(k1, bigram, 256)

    def f(x):
        return loss(unravel(x), t)

    g = jax.grad(f)(x)
    square = lambda k: ravel_pytree(jax.grad(loss)(p, texts(k, bigram, 32)))[0] ** 2
    v = jax.lax.map(square, jax.random.split(k2, 60)).mean(0)

    def clip(share):
        tau = jnp.quantile(jnp.abs(g), 1 - share)
        return jnp.clip(g, -tau, tau)

    def one(u):
        bend = u @ jax.jvp(jax.grad(f), (x,), (u,))[1]
        best = g @ u / jnp.abs(bend)
        falls = jax.lax.map(lambda i: f(x) - f(x - 0.2 * 1.35**i * best * u), jnp.arange(12.0))
        return bend / (u @ u), jnp.maximum(0, falls.max())

    ds, fall = jax.lax.map(one, jnp.stack([g, g / (jnp.sqrt(v) + 1e-8), clip(0.5), clip(0.1), jnp.sign(g)]))
    size = jnp.abs(g)
    top = jnp.where(size > jnp.quantile(size, 0.99), g**2, 0).sum() / (g @ g)
    return ds[0], ds[0] / ds, fall, fall / fall[0], top


def sgd(p, g, s, k):
    m = jax.tree.map(lambda m, g: 0.9 * m + g, s[0], g)
    return jax.tree.map(lambda p, m: p - 0.3 * m, p, m), (m, s[1])


def adam(p, g, s, k):
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, s[0], g)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g**2, s[1], g)
    step = lambda p, m, v: p - 1e-2 * (m / (1 - 0.9**k)) / (jnp.sqrt(v / (1 - 0.999**k)) + 1e-8)
    return jax.tree.map(step, p, m, v), (m, v)


def path(rule, seed):
    k_language, k_init, k_train, k_measure = jax.random.split(jax.random.key(seed), 4)
    bigram = language(k_language)
    p = init(k_init)
    zeros = jax.tree.map(jnp.zeros_like, p)

    def step(carry, k):
        p, s = carry
        g = jax.grad(loss)(p, texts(jax.random.fold_in(k_train, k), bigram, 32))
        return rule(p, g, s, k + 1.0), None

    carry = (p, (zeros, zeros))
    for a, b in ((0, 50), (50, 150)):
        carry, _ = jax.lax.scan(step, carry, jnp.arange(a, b))
        yield b, measure(carry[0], k_measure, bigram)


for seed in map(int, sys.argv[1:] or '123'):
    for name, rule in (('sgd', sgd), ('adam', adam)):
        for at, (sharp, than, fall, further, top) in path(rule, seed):
            print(
                f'seed {seed} {name} {at}: sharpness {sharp:.3f}; than adam, half, tenth, sign',
                ' '.join(f'{v:.3f}' for v in than[1:]),
                f'; fall {fall[0]:.4f}; further',
                ' '.join(f'{v:.3f}' for v in further[1:]),
                f'; top {top:.3f}',
                flush=True,
            )

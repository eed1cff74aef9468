"""Values of JAX (0.10.2, float64) that stdlib/linalg.opt is compared with: python3 linalg.py > linalg.json (pip install jax)."""

import json

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def chirp(*shape):
    """sin(0.37 i^2), whose matrices have full rank."""
    return jnp.array(np.sin(0.37 * np.arange(np.prod(shape)) ** 2).reshape(shape))


def tide(*shape):
    return jnp.array(np.cos(0.4 * np.arange(np.prod(shape))).reshape(shape))


values = {}


def show(name, v):
    values[name] = [round(float(x), 9) for x in np.asarray(v).ravel()]


A, b, B, C = chirp(5, 5), tide(5), tide(5, 2), tide(5, 5)
tall = chirp(6, 4)
spd = A @ A.T + 2 * jnp.eye(5)

show("solve", jnp.linalg.solve(A, b))
show("solve2", jnp.linalg.solve(A, B))
f = lambda A: jnp.sum(jnp.linalg.solve(A, B) * tide(5, 2))
show("solve_grad", jax.grad(f)(A))
show("solve_hvp", jax.grad(lambda A: jnp.sum(jax.grad(f)(A) * C))(A))
show("inverse", jnp.linalg.inv(A))
show("det", jnp.linalg.det(A))
show("det_grad", jax.grad(jnp.linalg.det)(A))
show("det_hvp", jax.grad(lambda A: jnp.sum(jax.grad(jnp.linalg.det)(A) * C))(A))
show("logabsdet_hvp", jax.grad(lambda A: jnp.sum(jax.grad(lambda A: jnp.linalg.slogdet(A)[1])(A) * C))(A))
show("logabsdet", jnp.linalg.slogdet(A)[1])
show("logabsdet_grad", jax.grad(lambda A: jnp.linalg.slogdet(A)[1])(A))

show("cholesky", jnp.linalg.cholesky(spd))
show("cholesky_grad", jax.grad(lambda A: jnp.sum(jnp.linalg.cholesky(A @ A.T + 2 * jnp.eye(5)) * C))(A))
show("triangular", jax.scipy.linalg.solve_triangular(A + 3 * jnp.eye(5), B, lower=False, trans=1))
show("definite", jnp.linalg.solve(spd, b))
show("logdet", jnp.linalg.slogdet(spd)[1])

Q, R = jnp.linalg.qr(tall)
signs = jnp.sign(jnp.diag(R))
show("qr_q", Q * signs)
show("qr_r", R * signs[:, None])


def positive_q(A):
    Q, R = jnp.linalg.qr(A)
    return Q * jnp.sign(jnp.diag(R))


show("qr_grad", jax.grad(lambda A: jnp.sum(positive_q(A) * tide(6, 4)))(tall))
show("lstsq", jnp.linalg.lstsq(tall, tide(6))[0])


# eigenvectors have a free sign: what is compared does not depend on it
def eigen(A):
    w, V = jnp.linalg.eigh(0.5 * (A + A.T))
    return jnp.sum(jnp.sin(w)) + jnp.sum(V**2 * C)


show("eigenvalues", jnp.linalg.eigh(0.5 * (A + A.T))[0])
show("eigen_squares", jnp.linalg.eigh(0.5 * (A + A.T))[1] ** 2)
show("eigen_grad", jax.grad(eigen)(A))
show("eigen_hvp", jax.grad(lambda A: jnp.sum(jax.grad(eigen)(A) * C))(A))


def singular(A):
    U, s, Vt = jnp.linalg.svd(A, full_matrices=False)
    return jnp.sum(jnp.sin(s)) + jnp.sum(U**2 * tide(6, 4)) + jnp.sum(Vt.T**2 * tide(4, 4)) + U[0, 1] * Vt[1, 2]


U, s, Vt = jnp.linalg.svd(tall, full_matrices=False)
show("singular", s)
show("singular_u2", U**2)
show("singular_v2", Vt.T**2)
show("singular_grad", jax.grad(singular)(tall))
show("singular_hvp", jax.grad(lambda A: jnp.sum(jax.grad(singular)(A) * tide(6, 4)))(tall))
show("kron", jnp.kron(chirp(2, 3), tide(2, 2)))
show("tril", jnp.tril(chirp(3, 4), 1))
show("triu", jnp.triu(chirp(3, 4), -1))
show("power", jnp.max(jnp.linalg.eigh(spd)[0]))
print(json.dumps(values))

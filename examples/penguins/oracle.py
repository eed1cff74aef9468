"""The optimum of penguins.opt in float64: Newton's method in numpy (2.4.6), with the Hessian over all 15 weights. python examples/penguins/oracle.py"""
import os
import numpy as np

data = np.loadtxt(os.path.join(os.path.dirname(__file__), '../data/penguins.csv'), delimiter=',', skiprows=1)
X, y = data[:, :4], data[:, 6].astype(int)
X = np.c_[(X - X.mean(0)) / X.std(0), np.ones(len(X))]
n, d, k = len(X), 5, 3
ridge = np.r_[np.full(4, 1e-2), 0][:, None] * np.ones((d, k))
W = np.zeros((d, k))
Y = np.eye(k)[y]
for _ in range(50):
    Z = X @ W
    P = np.exp(Z - Z.max(1, keepdims=True))
    P /= P.sum(1, keepdims=True)
    G = X.T @ (P - Y) / n + ridge * W
    H = np.einsum('ni,na,nj,nab->iajb', X, np.ones((n, k)), X, np.einsum('na,ab->nab', P, np.eye(k)) - np.einsum('na,nb->nab', P, P)) / n
    H = H.reshape(d * k, d * k) + np.diag(ridge.ravel())
    # Intercepts that grow together change nothing: the least-norm step leaves their sum at 0.
    W -= (np.linalg.pinv(H, rcond=1e-10) @ G.ravel()).reshape(d, k)
Z = X @ W
loss = np.mean(np.log(np.exp(Z).sum(1)) - Z[np.arange(n), y]) + 0.5 * np.sum(ridge * W * W)
print(f'optimum {loss:.8f} slope {np.linalg.norm(G):.1e} accuracy {np.mean(Z.argmax(1) == y):.8f} bill {W[0, 0]:.7f} flipper {W[2, 2]:.7f}')

"""The optimum of breast-cancer.opt in float64: Newton's method in numpy (2.4.6). python examples/breast-cancer/oracle.py"""
import os
import numpy as np

data = np.loadtxt(os.path.join(os.path.dirname(__file__), '../data/breast_cancer.csv'), delimiter=',', skiprows=1)
X, y = data[:, :30], data[:, 30]
X = np.c_[(X - X.mean(0)) / X.std(0), np.ones(len(X))]
ridge = np.r_[np.full(30, 1e-2), 0]
w = np.zeros(31)
for _ in range(30):
    p = 1 / (1 + np.exp(-X @ w))
    g = X.T @ (p - y) / len(y) + ridge * w
    H = X.T @ (X * (p * (1 - p))[:, None]) / len(y) + np.diag(ridge)
    w -= np.linalg.solve(H, g)
loss = np.mean(np.logaddexp(0, X @ w) - y * (X @ w)) + 0.5 * np.sum(ridge * w * w)
print(f'optimum {loss:.8f} slope {np.linalg.norm(g):.1e} accuracy {np.mean((X @ w > 0) == (y > 0.5)):.8f} intercept {w[30]:.7f} length {np.linalg.norm(w):.7f}')

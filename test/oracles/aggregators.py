"""
Aggregators and the privacy accountant, by independent means: convex problems by scipy's SLSQP from several starts, projections of PCGrad by its published loop over every order, the
accountant by the plain binomial sum in exact rational weights of Python's math. Writes aggregators.json beside it.

    python3 -m venv venv && venv/bin/pip install numpy scipy && venv/bin/python test/oracles/aggregators.py
"""
import itertools
import json
import math
import pathlib

import numpy as np
from scipy.optimize import minimize

rng = np.random.default_rng(3)


def simplex_min(f, n):
    best = None
    for w0 in [np.ones(n) / n, *(0.9 * np.eye(n) + 0.1 / n)]:
        r = minimize(f, w0, method='SLSQP', bounds=[(0, 1)] * n, constraints={'type': 'eq', 'fun': lambda w: w.sum() - 1},
                     options={'ftol': 1e-16, 'maxiter': 1000})
        if best is None or r.fun < best.fun:
            best = r
    return best.x


def mgda(J):
    w = simplex_min(lambda w: (w @ J) @ (w @ J), len(J))
    return w @ J


def cagrad(J, c):
    g0 = J.mean(0)
    radius = c * np.linalg.norm(g0)
    w = simplex_min(lambda w: (w @ J) @ g0 + radius * np.linalg.norm(w @ J), len(J))
    gw = w @ J
    return g0 + radius / np.linalg.norm(gw) * gw


def upgrad(J):
    """Primal projection: argmin |y - g_i|^2 with J y >= 0."""
    total = 0
    for g in J:
        r = minimize(lambda y: (y - g) @ (y - g), np.zeros(J.shape[1]), jac=lambda y: 2 * (y - g), method='SLSQP',
                     constraints={'type': 'ineq', 'fun': lambda y: J @ y, 'jac': lambda y: J}, options={'ftol': 1e-16, 'maxiter': 1000})
        total = total + r.x
    return total / len(J)


def pcgrad_all(J):
    """The results of every choice of orders, for three objectives."""
    n = len(J)
    results = []
    for orders in itertools.product(list(itertools.permutations(range(n))), repeat=n):
        total = np.zeros(J.shape[1])
        for i, order in enumerate(orders):
            g = J[i].copy()
            for j in order:
                if j != i and g @ J[j] < 0:
                    g = g - (g @ J[j]) / (J[j] @ J[j]) * J[j]
            total += g
        if not any(np.allclose(total, r, atol=1e-12) for r in results):
            results.append(total)
    return results


def and_mask(J, tau):
    agree = np.abs(np.sign(J).mean(0)) >= tau - 1e-12
    return np.where(agree, J.mean(0), 0)


def gradnorm(J, losses, alpha, lr, steps):
    """Weights after some updates with directions that stay and losses that change."""
    n = len(J)
    w = np.ones(n)
    norms = np.linalg.norm(J, axis=1)
    directions = []
    for k in range(steps):
        now = losses[k]
        directions.append(w @ J)
        ratio = now / losses[0]
        wanted = np.mean(w * norms) * (ratio / ratio.mean()) ** alpha
        # d/dw of |w * norm - wanted|, wanted held fixed
        w = np.maximum(w - lr * np.sign(w * norms - wanted) * norms, 1e-6)
        w = n * w / w.sum()
    return directions


def rdp(q, sigma, alpha):
    """Integer orders: log sum_k C(alpha, k) (1 - q)^(alpha - k) q^k exp((k^2 - k) / (2 sigma^2)) / (alpha - 1)."""
    logs = [math.log(math.comb(alpha, k)) + (k * k - k) / (2 * sigma**2)
            + (k * math.log(q) if k else 0.0) + ((alpha - k) * math.log1p(-q) if k < alpha else 0.0) for k in range(alpha + 1)
            if not (q == 1 and k < alpha)]
    top = max(logs)
    return (top + math.log(math.fsum(math.exp(v - top) for v in logs))) / (alpha - 1)


def epsilon(q, sigma, steps, delta):
    return min(steps * rdp(q, sigma, a) + math.log1p(-1 / a) - (math.log(delta) + math.log(a)) / (a - 1) for a in range(2, 65))


problems = []
for n, d, scale in [(2, 4, 1.0), (3, 5, 1.0), (3, 6, 3.0), (4, 6, 1.0)]:
    J = rng.normal(size=(n, d)) * np.linspace(1, scale, n)[:, None]
    problems.append({'J': J.tolist(), 'mgda': mgda(J).tolist(), 'cagrad': cagrad(J, 0.4).tolist(), 'upgrad': upgrad(J).tolist(),
                     'and_mask': and_mask(J, 1).tolist(), 'and_mask_half': and_mask(J, 0.5).tolist(),
                     'pcgrad': [r.tolist() for r in pcgrad_all(J)] if n < 4 else []})
# one direction inside the hull of others, and two that exclude each other
for J in [np.array([[1.0, 0], [0, 1.0], [0.6, 0.6]]), np.array([[1.0, 0.2], [-1.0, 0.2], [0.0, 1.0]])]:
    problems.append({'J': J.tolist(), 'mgda': mgda(J).tolist(), 'cagrad': cagrad(J, 0.4).tolist(), 'upgrad': upgrad(J).tolist(),
                     'and_mask': and_mask(J, 1).tolist(), 'and_mask_half': and_mask(J, 0.5).tolist(),
                     'pcgrad': [r.tolist() for r in pcgrad_all(J)]})

J = rng.normal(size=(2, 4))
losses = np.array([[2.0, 5.0], [1.5, 4.9], [1.0, 4.8], [0.7, 4.7]])
cases = [(0.01, 1.1, 10000, 1e-5), (256 / 60000, 1.1, 14062, 1e-5), (0.05, 0.8, 300, 1e-6), (1.0, 4.0, 50, 1e-5), (0.001, 2.0, 20000, 1e-5)]
out = {
    'problems': problems,
    'gradnorm': {'J': J.tolist(), 'losses': losses.tolist(), 'directions': [d.tolist() for d in gradnorm(J, losses, 1.5, 0.1, 4)]},
    'rdp': [{'rate': q, 'noise': s, 'order': a, 'value': rdp(q, s, a)} for q, s, _, _ in cases for a in (2, 8, 33, 64)],
    'epsilon': [{'rate': q, 'noise': s, 'steps': n, 'delta': d, 'value': epsilon(q, s, n, d)} for q, s, n, d in cases],
}
pathlib.Path(__file__).with_suffix('.json').write_text(json.dumps(out, indent=1) + '\n')

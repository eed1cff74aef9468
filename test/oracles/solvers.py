"""Optima and multipliers of small problems by SciPy, for test/unit/elaborate/solvers.test.ts.

    pip install numpy scipy; python test/oracles/solvers.py

Multipliers: least squares of the first-order conditions on the active constraints at the optimum, those of inequalities g(x) >= 0 not negative, those of
equalities a - b those of f + lambda (a - b).
"""
import json
import os

import numpy as np
from scipy.optimize import NonlinearConstraint, least_squares, minimize

found = {}


def gradient(f, x):
    h = 1e-5
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


def constrained(name, f, x0, equalities=(), inequalities=()):
    cons = [{"type": "eq", "fun": c} for c in equalities] + [{"type": "ineq", "fun": c} for c in inequalities]
    r = minimize(f, x0, method="SLSQP", constraints=cons, options={"maxiter": 1000, "ftol": 1e-15})
    if not r.success:
        tight = {"maxiter": 20000, "gtol": 1e-12, "xtol": 1e-14}
        bounds = [NonlinearConstraint(c, 0, 0) for c in equalities] + [NonlinearConstraint(c, 0, np.inf) for c in inequalities]
        r = minimize(f, x0, method="trust-constr", constraints=bounds, options=tight)
    x = r.x
    active = [c for c in inequalities if abs(c(x)) < 1e-5]
    rows = [gradient(c, x) for c in equalities] + [-gradient(c, x) for c in active]
    lam = np.linalg.lstsq(np.array(rows).T, -gradient(f, x), rcond=None)[0] if rows else np.array([])
    assert np.linalg.norm(np.array(rows).T @ lam + gradient(f, x)) < 1e-4 if rows else True, name
    rest = iter(lam[len(equalities):])
    found[name + ".x"] = x.tolist()
    found[name + ".f"] = [float(f(x))]
    found[name + ".lam"] = lam[: len(equalities)].tolist()
    found[name + ".mu"] = [float(next(rest)) if any(c is a for a in active) else 0.0 for c in inequalities]


constrained("hs7", lambda x: np.log(1 + x[0] ** 2) - x[1], [2, 2], [lambda x: (1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4])
constrained(
    "hs77",
    lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[2] - 1) ** 2 + (x[3] - 1) ** 4 + (x[4] - 1) ** 6,
    [2] * 5,
    [
        lambda x: x[0] ** 2 * x[3] + np.sin(x[3] - x[4]) - 2 * np.sqrt(2),
        lambda x: x[1] + x[2] ** 4 * x[3] ** 2 - 8 - np.sqrt(2),
    ],
)
hs35 = lambda x: 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[0] * x[1] + 2 * x[0] * x[2]
constrained("hs35", hs35, [0.5] * 3, [], [lambda x: 3 - x[0] - x[1] - 2 * x[2], lambda x: x[0], lambda x: x[1], lambda x: x[2]])
constrained(
    "hs43",
    lambda x: x[0] ** 2 + x[1] ** 2 + 2 * x[2] ** 2 + x[3] ** 2 - 5 * x[0] - 5 * x[1] - 21 * x[2] + 7 * x[3],
    [0] * 4,
    [],
    [
        lambda x: 8 - (x @ x) - x[0] + x[1] - x[2] + x[3],
        lambda x: 10 - x[0] ** 2 - 2 * x[1] ** 2 - x[2] ** 2 - 2 * x[3] ** 2 + x[0] + x[3],
        lambda x: 5 - 2 * x[0] ** 2 - x[1] ** 2 - x[2] ** 2 - 2 * x[0] + x[1] + x[3],
    ],
)
constrained(
    "hs71",
    lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
    [1, 5, 5, 1],
    [lambda x: x @ x - 40],
    [lambda x: x[0] * x[1] * x[2] * x[3] - 25] + [lambda x, i=i: x[i] - 1 for i in range(4)] + [lambda x, i=i: 5 - x[i] for i in range(4)],
)
# A quadratic on the box and on the simplex, and with an equality in a box.
P = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 1.0]])
q = np.array([-2.5, 1.0, -2.2])
quadratic = lambda x: 0.5 * x @ P @ x + q @ x
boxed = [lambda x, i=i: x[i] for i in range(3)] + [lambda x, i=i: 1 - x[i] for i in range(3)]
constrained("box", quadratic, [0.5] * 3, [], boxed)
constrained("simplex", quadratic, [1 / 3] * 3, [lambda x: x.sum() - 1], boxed[:3])
constrained("affine", quadratic, [0.5] * 3, [lambda x: x[0] + 2 * x[1] - x[2] - 0.25], boxed)
# Least squares with an l1 norm, by the split into positive and negative parts.
A = np.array([[1.0, 0.5, -0.3], [0.2, 1.0, 0.4], [-0.5, 0.3, 1.0], [0.7, -0.6, 0.1]])
b = np.array([1.0, -0.5, 0.2, 0.8])
split = minimize(
    lambda v: 0.5 * np.sum((A @ (v[:3] - v[3:]) - b) ** 2) + 0.3 * v.sum(),
    np.zeros(6), method="L-BFGS-B", bounds=[(0, None)] * 6, options={"ftol": 1e-16, "gtol": 1e-12, "maxiter": 10000},
)  # fmt: skip
found["lasso.x"] = (split.x[:3] - split.x[3:]).tolist()
# An exponential through ten points.
t = np.arange(10) / 3
y = 2.5 * np.exp(-0.7 * t) + 0.3 + 0.05 * np.cos(5 * t)
found["fit.x"] = least_squares(lambda p: p[0] * np.exp(-p[1] * t) + p[2] - y, [1, 1, 0], xtol=1e-15, ftol=1e-15, gtol=1e-15).x.tolist()

with open(os.path.join(os.path.dirname(__file__), "solvers.json"), "w") as f:
    json.dump({k: [round(v, 9) for v in vs] for k, vs in found.items()}, f, indent=1)
    f.write("\n")

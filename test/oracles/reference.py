"""Answers of the problems of examples/reference by SciPy and NumPy, written from the literature and not from the .opt files, for test/unit/cli/grade.test.ts.

    pip install numpy scipy; python test/oracles/reference.py

Values: the optimum of the objective, the point, and multipliers by name of the constraint (those of an inequality not negative, those of an equality a - b those of
f + lambda (a - b)), from least squares of the first-order conditions on the constraints that are active. Each optimum is compared with the published one.
"""
import json
import os

import numpy as np
from numpy import exp, log, pi, sin, cos, sqrt
from scipy.optimize import brentq, least_squares, minimize, root

found = {}


def gradient(f, x, h=1e-5):
    # fourth order, so that multipliers have six digits
    def along(e):
        return (8 * (f(x + h * e) - f(x - h * e)) - (f(x + 2 * h * e) - f(x - 2 * h * e))) / (12 * h)

    return np.array([along(e) for e in np.eye(len(x))])


def constrained(name, published, f, x0, equal=None, less=None, bounds=None):
    """equal: c == 0; less: g <= 0, both by name. bounds are not constraints with a name."""
    equal, less = equal or {}, less or {}
    cons = [{"type": "eq", "fun": c} for c in equal.values()] + [{"type": "ineq", "fun": lambda x, g=g: -np.asarray(g(x))} for g in less.values()]
    x = np.array(x0, float)
    for _ in range(3):
        r = minimize(f, x, method="SLSQP", constraints=cons, bounds=bounds, options={"maxiter": 2000, "ftol": 1e-16})
        x = r.x
    assert abs(r.fun - published) < 2e-6 * max(1, abs(published)), (name, r.fun, published, r.x, r.message)
    active = {n: g for n, g in less.items() if abs(g(x)) < 1e-5}
    free = [i for i in range(len(x)) if not bounds or all(b is None or abs(x[i] - b) > 1e-5 for b in bounds[i])]
    rows = [gradient(c, x)[free] for c in [*equal.values(), *active.values()]]
    lam = dict.fromkeys(less, 0.0)
    if rows:
        values, *_ = np.linalg.lstsq(np.array(rows).T, -gradient(f, x)[free], rcond=None)
        lam.update(zip([*equal, *active], values.tolist()))
    found[name] = {"f": float(r.fun), "x": x.tolist(), "multipliers": lam}


def smooth(name, published, f, x0):
    r = minimize(f, x0, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    r = minimize(f, r.x, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-16, "maxiter": 20000, "maxfev": 20000})
    assert abs(r.fun - published) < 1e-6 * max(1, abs(published)), (name, r.fun, published)
    found[name] = {"f": float(r.fun), "x": r.x.tolist(), "multipliers": {}}


def bilevel(name, upper, lower, interval):
    """One upper variable: the lower level by minimization at each point of the upper one, the upper one by golden sections."""
    from scipy.optimize import minimize_scalar

    def answer(x):
        return minimize(lambda y: lower(x, y), np.zeros(lower.size), method="BFGS", options={"gtol": 1e-10}).x

    r = minimize_scalar(lambda x: upper(x, answer(x)), bounds=interval, method="bounded", options={"xatol": 1e-11})
    found[name] = {"f": float(r.fun), "x": [float(r.x)], "y": answer(r.x).tolist(), "multipliers": {}}


def sized(n, f):
    f.size = n
    return f


def equilibrium(name, field, x0):
    """Where the gradients of all players vanish."""
    r = root(field, x0, tol=1e-13)
    assert np.linalg.norm(field(r.x)) < 1e-10, name
    found[name] = {"x": r.x.tolist(), "multipliers": {}}


# ---- equalities (Hock and Schittkowski, 1981; the last three from CUTEst)
constrained("hs006", 0, lambda x: (1 - x[0]) ** 2, [-1.2, 1], {"c": lambda x: 10 * (x[1] - x[0] ** 2)})
constrained("hs007", -sqrt(3), lambda x: log(1 + x[0] ** 2) - x[1], [2, 2], {"c": lambda x: (1 + x[0] ** 2) ** 2 + x[1] ** 2 - 4})
constrained("hs009", -0.5, lambda x: sin(pi * x[0] / 12) * cos(pi * x[1] / 16), [0, 0], {"c": lambda x: 4 * x[0] - 3 * x[1]})
constrained("hs027", 0.04, lambda x: 0.01 * (x[0] - 1) ** 2 + (x[1] - x[0] ** 2) ** 2, [2, 2, 2], {"c": lambda x: x[0] + x[2] ** 2 + 1})
constrained("hs028", 0, lambda x: (x[0] + x[1]) ** 2 + (x[1] + x[2]) ** 2, [-4, 1, 1], {"c": lambda x: x[0] + 2 * x[1] + 3 * x[2] - 1})
constrained("hs039", -1, lambda x: -x[0], [2] * 4, {"a": lambda x: x[1] - x[0] ** 3 - x[2] ** 2, "b": lambda x: x[0] ** 2 - x[1] - x[3] ** 2})
constrained("hs040", -0.25, lambda x: -x[0] * x[1] * x[2] * x[3], [0.8] * 4, {"a": lambda x: x[0] ** 3 + x[1] ** 2 - 1, "b": lambda x: x[0] ** 2 * x[3] - x[2], "c": lambda x: x[3] ** 2 - x[1]})
constrained("hs042", 28 - 10 * sqrt(2), lambda x: sum((x - [1, 2, 3, 4]) ** 2), [1] * 4, {"a": lambda x: x[0] - 2, "b": lambda x: x[2] ** 2 + x[3] ** 2 - 2})
constrained("hs048", 0, lambda x: (x[0] - 1) ** 2 + (x[1] - x[2]) ** 2 + (x[3] - x[4]) ** 2, [3, 5, -3, 2, -2], {"a": lambda x: sum(x) - 5, "b": lambda x: x[2] - 2 * (x[3] + x[4]) + 3})
chain = {"a": lambda x: x[0] + 3 * x[1], "b": lambda x: x[2] + x[3] - 2 * x[4], "c": lambda x: x[1] - x[4]}
constrained("hs051", 0, lambda x: (x[0] - x[1]) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[3] - 1) ** 2 + (x[4] - 1) ** 2, [2.5, 0.5, 2, -1, 0.5], {**chain, "a": lambda x: x[0] + 3 * x[1] - 4})
constrained("hs052", 1859 / 349, lambda x: (4 * x[0] - x[1]) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[3] - 1) ** 2 + (x[4] - 1) ** 2, [2] * 5, chain)
constrained("hs060", 0.03256820025, lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 4, [2] * 3, {"c": lambda x: x[0] * (1 + x[1] ** 2) + x[2] ** 4 - 4 - 3 * sqrt(2)})
constrained("hs061", -143.6461422, lambda x: 4 * x[0] ** 2 + 2 * x[1] ** 2 + 2 * x[2] ** 2 - 33 * x[0] + 16 * x[1] - 24 * x[2], [5, -2, 3], {"a": lambda x: 3 * x[0] - 2 * x[1] ** 2 - 7, "b": lambda x: 4 * x[0] - x[2] ** 2 - 11})
constrained("hs077", 0.24150513, lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[2] - 1) ** 2 + (x[3] - 1) ** 4 + (x[4] - 1) ** 6, [2] * 5, {"a": lambda x: x[0] ** 2 * x[3] + sin(x[3] - x[4]) - 2 * sqrt(2), "b": lambda x: x[1] + x[2] ** 4 * x[3] ** 2 - 8 - sqrt(2)})
constrained("hs078", -2.91970041, lambda x: np.prod(x), [-2, 1.5, 2, -1, -1], {"a": lambda x: x @ x - 10, "b": lambda x: x[1] * x[2] - 5 * x[3] * x[4], "c": lambda x: x[0] ** 3 + x[1] ** 3 + 1})
constrained("hs079", 0.0787768209, lambda x: (x[0] - 1) ** 2 + (x[0] - x[1]) ** 2 + (x[1] - x[2]) ** 2 + (x[2] - x[3]) ** 4 + (x[3] - x[4]) ** 4, [2] * 5, {"a": lambda x: x[0] + x[1] ** 2 + x[2] ** 3 - 2 - 3 * sqrt(2), "b": lambda x: x[1] - x[2] ** 2 + x[3] + 2 - 2 * sqrt(2), "c": lambda x: x[0] * x[4] - 2})
constrained("bt1", -1, lambda x: 100 * x[0] ** 2 + 100 * x[1] ** 2 - x[0] - 100, [0.08, 0.06], {"c": lambda x: x @ x - 1})
constrained("maratos", -1, lambda x: -x[0] + 1e-6 * (x @ x - 1), [1.1, 0.1], {"c": lambda x: x @ x - 1})
constrained("byrdsphr", -4.68330013, lambda x: -sum(x), [2, 2, 2], {"a": lambda x: x @ x - 9, "b": lambda x: (x[0] - 1) ** 2 + x[1] ** 2 + x[2] ** 2 - 9})

# ---- inequalities (Hock and Schittkowski)
rosenbrock = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2
constrained("hs010", -1, lambda x: x[0] - x[1], [-10, 10], less={"g": lambda x: 3 * x[0] ** 2 - 2 * x[0] * x[1] + x[1] ** 2 - 1})
constrained("hs011", -8.498464223, lambda x: (x[0] - 5) ** 2 + x[1] ** 2 - 25, [4.9, 0.1], less={"g": lambda x: x[0] ** 2 - x[1]})
constrained("hs012", -30, lambda x: 0.5 * x[0] ** 2 + x[1] ** 2 - x[0] * x[1] - 7 * x[0] - 7 * x[1], [0, 0], less={"g": lambda x: 4 * x[0] ** 2 + x[1] ** 2 - 25})
constrained("hs014", 9 - 2.875 * sqrt(7), lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2, [2, 2], {"h": lambda x: x[0] - 2 * x[1] + 1}, {"g": lambda x: 0.25 * x[0] ** 2 + x[1] ** 2 - 1})
constrained("hs018", 5, lambda x: 0.01 * x[0] ** 2 + x[1] ** 2, [2, 2], less={"a": lambda x: 25 - x[0] * x[1], "b": lambda x: 25 - x @ x, "low": lambda x: 2 - x[0]})
constrained("hs021", -99.96, lambda x: 0.01 * x[0] ** 2 + x[1] ** 2 - 100, [2, -1], less={"g": lambda x: 10 - 10 * x[0] + x[1], "low": lambda x: 2 - x[0]})
constrained("hs022", 1, lambda x: (x[0] - 2) ** 2 + (x[1] - 1) ** 2, [2, 2], less={"a": lambda x: x[0] + x[1] - 2, "b": lambda x: x[0] ** 2 - x[1]})
constrained("hs024", -1, lambda x: ((x[0] - 3) ** 2 - 9) * x[1] ** 3 / (27 * sqrt(3)), [1, 0.5], less={"a": lambda x: x[1] - x[0] / sqrt(3), "b": lambda x: -x[0] - sqrt(3) * x[1], "c": lambda x: x[0] + sqrt(3) * x[1] - 6})
constrained("hs029", -16 * sqrt(2), lambda x: -x[0] * x[1] * x[2], [1, 1, 1], less={"g": lambda x: x[0] ** 2 + 2 * x[1] ** 2 + 4 * x[2] ** 2 - 48})
constrained("hs030", 1, lambda x: x @ x, [1, 1, 1], less={"g": lambda x: 1 - x[0] ** 2 - x[1] ** 2}, bounds=[(1, 10), (-10, 10), (-10, 10)])
constrained("hs031", 6, lambda x: 9 * x[0] ** 2 + x[1] ** 2 + 9 * x[2] ** 2, [1, 1, 1], less={"g": lambda x: 1 - x[0] * x[1]})
constrained("hs032", 1, lambda x: (x[0] + 3 * x[1] + x[2]) ** 2 + 4 * (x[0] - x[1]) ** 2, [0.1, 0.7, 0.2], {"h": lambda x: 1 - sum(x)}, {"g": lambda x: 3 + x[0] ** 3 - 6 * x[1] - 4 * x[2], "p": lambda x: -x[0], "q": lambda x: -x[1]})
constrained("hs034", -log(log(10)), lambda x: -x[0], [0, 1.05, 2.9], less={"a": lambda x: exp(x[0]) - x[1], "b": lambda x: exp(x[1]) - x[2], "top": lambda x: x[2] - 10})
constrained("hs035", 1 / 9, lambda x: 9 - 8 * x[0] - 6 * x[1] - 4 * x[2] + 2 * x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[0] * x[1] + 2 * x[0] * x[2], [0.5] * 3, less={"g": lambda x: x[0] + x[1] + 2 * x[2] - 3})
constrained("hs043", -44, lambda x: x[0] ** 2 + x[1] ** 2 + 2 * x[2] ** 2 + x[3] ** 2 - 5 * x[0] - 5 * x[1] - 21 * x[2] + 7 * x[3], [0] * 4, less={
    "a": lambda x: x @ x + x[0] - x[1] + x[2] - x[3] - 8,
    "b": lambda x: x[0] ** 2 + 2 * x[1] ** 2 + x[2] ** 2 + 2 * x[3] ** 2 - x[0] - x[3] - 10,
    "c": lambda x: 2 * x[0] ** 2 + x[1] ** 2 + x[2] ** 2 + 2 * x[0] - x[1] - x[3] - 5,
})
constrained("hs065", 0.9535288567, lambda x: (x[0] - x[1]) ** 2 + (x[0] + x[1] - 10) ** 2 / 9 + (x[2] - 5) ** 2, [-5, 5, 0], less={"g": lambda x: x @ x - 48})
constrained("hs066", 0.5181632741, lambda x: 0.2 * x[2] - 0.8 * x[0], [0, 1.05, 2.9], less={"a": lambda x: exp(x[0]) - x[1], "b": lambda x: exp(x[1]) - x[2], "p": lambda x: -x[0], "top": lambda x: x[2] - 10})
constrained("hs071", 17.0140173, lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2], [1, 5, 5, 1], {"h": lambda x: x @ x - 40}, {"g": lambda x: 25 - np.prod(x), "low": lambda x: 1 - x[0]})
constrained("hs076", -4.681818182, lambda x: x[0] ** 2 + 0.5 * x[1] ** 2 + x[2] ** 2 + 0.5 * x[3] ** 2 - x[0] * x[2] + x[2] * x[3] - x[0] - 3 * x[1] + x[2] - x[3], [0.5] * 4, less={"a": lambda x: x[0] + 2 * x[1] + x[2] + x[3] - 5, "b": lambda x: 3 * x[0] + x[1] + 2 * x[2] - x[3] - 4, "c": lambda x: 1.5 - x[1] - 4 * x[2], "p": lambda x: -x[2]})

# ---- no constraints (Moré, Garbow and Hillstrom, 1981, and collections after it)
smooth("rosenbrock", 0, rosenbrock, [-1.2, 1])
smooth("beale", 0, lambda x: (1.5 - x[0] * (1 - x[1])) ** 2 + (2.25 - x[0] * (1 - x[1] ** 2)) ** 2 + (2.625 - x[0] * (1 - x[1] ** 3)) ** 2, [1, 1])
smooth("booth", 0, lambda x: (x[0] + 2 * x[1] - 7) ** 2 + (2 * x[0] + x[1] - 5) ** 2, [0, 0])
smooth("wood", 0, lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2 + 90 * (x[3] - x[2] ** 2) ** 2 + (1 - x[2]) ** 2 + 10 * (x[1] + x[3] - 2) ** 2 + 0.1 * (x[1] - x[3]) ** 2, [-3, -1, -3, -1])
smooth("trid6", -50, lambda x: sum((x - 1) ** 2) - sum(x[1:] * x[:-1]), [0] * 6)
bard_y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
bard_u = np.arange(1, 16.0)
bard_v = 16 - bard_u
smooth("bard", 8.21487e-3, lambda x: sum((bard_y - (x[0] + bard_u / (bard_v * x[1] + np.minimum(bard_u, bard_v) * x[2]))) ** 2), [1, 1, 1])

# ---- sets (Hock and Schittkowski; projections)
constrained("hs002", 0.0504261879, rosenbrock, [1.2, 1.6], bounds=[(None, None), (1.5, None)])
constrained("hs004", 8 / 3, lambda x: (x[0] + 1) ** 3 / 3 + x[1], [1.125, 0.125], bounds=[(1, None), (0, None)])
constrained("hs005", -sqrt(3) / 2 - pi / 3, lambda x: sin(x[0] + x[1]) + (x[0] - x[1]) ** 2 - 1.5 * x[0] + 2.5 * x[1] + 1, [0, 0], bounds=[(-1.5, 4), (-3, 3)])
constrained("hs045", 1, lambda x: 2 - np.prod(x) / 120, [0.5, 1, 1.5, 2, 2.5], bounds=[(0, k) for k in range(1, 6)])
constrained("simplex3", 0.0425, lambda x: sum((x - [0.8, 0.5, -0.2]) ** 2) / 2, [1 / 3] * 3, {"s": lambda x: sum(x) - 1}, bounds=[(0, None)] * 3)
constrained("ball3", 2, lambda x: sum((x - [2, 1, 2]) ** 2) / 2, [0, 0, 0], less={"s": lambda x: x @ x - 1})
constrained("hs053", 176 / 43, lambda x: (x[0] - x[1]) ** 2 + (x[1] + x[2] - 2) ** 2 + (x[3] - 1) ** 2 + (x[4] - 1) ** 2, [2] * 5, chain)
constrained("portfolio", 0.5 * 0.0144, lambda x: 0.5 * (0.04 * x[0] ** 2 + 0.0225 * x[1] ** 2), [0.5, 0.5], {"s": lambda x: sum(x) - 1}, bounds=[(0, 1)] * 2)
constrained("least_norm", 1.6875, lambda x: x @ x / 2, [1, 1, 1], {"a": lambda x: sum(x) - 3, "b": lambda x: x[0] - x[1] + x[2] - 2})

# ---- two levels
bilevel("halfway", lambda x, y: (x - 2) ** 2 + y[0] ** 2, sized(1, lambda x, y: (y[0] - x) ** 2 + y[0] ** 2), (-5, 5))
bilevel("ridge", lambda x, y: (y[0] - 1) ** 2, sized(1, lambda x, y: (y[0] - 3) ** 2 + exp(x) * y[0] ** 2), (-5, 5))
bilevel("sinh", lambda x, y: (x - 2) ** 2 + y[0] ** 2, sized(1, lambda x, y: np.cosh(y[0]) - x * y[0]), (-5, 5))
bilevel("stackelberg", lambda x, y: -x * (12 - x - y[0]), sized(1, lambda x, y: -y[0] * (12 - x - y[0])), (0, 12))
bilevel("turned", lambda x, y: (y[0] - 1) ** 2 + (y[1] + 1) ** 2 + 0.5 * x**2, sized(2, lambda x, y: (y[0] - x) ** 2 + (y[1] + 2 * x) ** 2 + 0.5 * (y[0] - y[1]) ** 2), (-5, 5))
bilevel("against", lambda x, y: (y[0] - 3) ** 2 + x**2, sized(1, lambda x, y: 0.5 * y[0] ** 2 + x * y[0]), (-5, 5))

# ---- players: where the gradients of all vanish
equilibrium("bilinear", lambda z: [z[1] - 1, -(z[0] - 2)], [0, 0])
equilibrium("saddle", lambda z: [z[0] + 2 * z[1] - 1, z[1] - 2 * z[0] - 1], [0, 0])
equilibrium("cournot2", lambda z: [-(12 - 2 * z[0] - z[1]), -(12 - z[0] - 2 * z[1])], [0, 0])
equilibrium("cournot3", lambda z: [-(9 - 2 * z[0] - z[1] - z[2]), -(8 - z[0] - 2 * z[1] - z[2]), -(7 - z[0] - z[1] - 2 * z[2])], [0, 0, 0])
equilibrium("bertrand", lambda z: [-(10 - 4 * z[0] + z[1] + 2), -(10 - 4 * z[1] + z[0] + 2)], [0, 0])
equilibrium("tullock", lambda z: [1 - z[1] / (z[0] + z[1]) ** 2 * 4, 1 - z[0] / (z[0] + z[1]) ** 2 * 4], [0.9, 0.9])
equilibrium("robust", lambda z: [z[0] - 1 + z[1], -(z[0] - 0.5 - 2 * z[1])], [0, 0])
equilibrium("public_good", lambda z: [2 * (z[0] + z[1] - 4) + 2 * z[0], 2 * (z[0] + z[1] - 4) + 4 * z[1]], [0, 0])

with open(os.path.join(os.path.dirname(__file__), "reference.json"), "w") as out:
    json.dump(found, out, indent=1)
    out.write("\n")

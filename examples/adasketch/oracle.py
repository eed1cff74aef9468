"""The optima of the logistic regressions and of the control problems in float64, by SciPy (1.17), and the numbers that the former read; then the optima of cutest by SLSQP. python examples/adasketch/oracle.py"""
import os
import re
from math import cos, log, pi, sin, sqrt

import numpy as np
from scipy.optimize import minimize

here = os.path.dirname(os.path.abspath(__file__))


def written(name, columns, last, rows, digits):
    header = ','.join([f'a{j}' for j in range(columns)] + [last])
    np.savetxt(os.path.join(here, name), rows, delimiter=',', header=header, comments='', fmt=digits)


def logistic(name, X, y, A, b):
    """The least loss with A w = b and |w| = 1, from w = 1. y is -1 or 1."""

    def loss(w):
        return np.mean(np.logaddexp(0, -y * (X @ w)))

    def slope(w):
        return -X.T @ (y / (1 + np.exp(y * (X @ w)))) / len(y)

    found = minimize(
        loss, np.ones(X.shape[1]), jac=slope, method='SLSQP', options={'maxiter': 1000, 'ftol': 1e-15},
        constraints=[
            {'type': 'eq', 'fun': lambda w: A @ w - b, 'jac': lambda w: A},
            {'type': 'eq', 'fun': lambda w: w @ w - 1, 'jac': lambda w: 2 * w},
        ],
    )
    print(f'{name} {found.fun:.8f} missed {max(abs(A @ found.x - b).max(), abs(found.x @ found.x - 1)):.1e}')


rng = np.random.default_rng(0)
A = rng.normal(size=(10, 30)).round(6)
v = rng.normal(size=30)
b = (A @ (0.6 * v / np.linalg.norm(v))).round(6)
written('constraints.csv', 30, 'b', np.c_[A, b], '%.6f')
data = np.loadtxt(os.path.join(here, '../data/breast_cancer.csv'), delimiter=',', skiprows=1)
X, y = data[:, :30], 2 * data[:, 30] - 1
logistic('breast cancer', (X - X.mean(0)) / X.std(0), y, A, b)

rng = np.random.default_rng(0)
X, w, noise, A, v = (rng.normal(size=s) for s in ((200, 20), 20, 200, (5, 20), 20))
y = np.sign(X @ w + 0.5 * noise)
b = A @ (0.6 * v / np.linalg.norm(v))
written('points.csv', 20, 'y', np.c_[X, (y + 1) / 2], ['%.8g'] * 20 + ['%d'])
written('points_constraints.csv', 20, 'b', np.c_[A, b], '%.8g')
logistic('normal numbers', X, y, A, b)

for N in (3, 6):
    h = 2 / (N + 1)
    L = np.kron(T := (np.eye(N, k=1) + np.eye(N, k=-1) - 2 * np.eye(N)), np.eye(N)) + np.kron(np.eye(N), T)
    step = 0.1 / np.sqrt(15) * (np.arange(1, N + 1) - (N + 1) / 2)
    target = (np.sin(4 + step)[:, None] + np.cos(3 + step)[None, :]).ravel()
    # z = -L w / h^2: what is left is a linear system for w
    M = L / h**2
    w = np.linalg.solve(np.eye(N * N) + 0.1 * M.T @ M, target)
    print(f'pde {N} {0.5 * np.sum((w - target) ** 2) + 0.05 * np.sum((M @ w) ** 2):.7f}')

# name, start, objective, constraints, optimum, as published; x1 is the first variable
TABLE = [
    ('bt1', '[0.08, 0.06]', '100*x1^2+100*x2^2-x1-100', ['x1^2+x2^2 == 1'], -1),
    ('bt2', '10 n3', '(x1-1)^2+(x1-x2)^2+(x2-x3)^4', ['x1*(1+x2^2)+x3^4 == 8.2426407'], 0.0325682),
    ('bt3', '20 n5', '(x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2', ['x1+3*x2 == 0', 'x3+x4-2*x5 == 0', 'x2-x5 == 0'], 4.0930233),
    ('bt4', '[4.0382, -2.9470, -0.09115]', 'x1-x2+x2^3', ['x1^2+x2^2+x3^2 == 25', 'x1+x2+x3 == 1'], -45.510551),
    ('bt5', '2 n3', '1000-x1^2-x3^2-2*x2^2-x1*x2-x1*x3', ['x1^2+x2^2+x3^2 == 25', '8*x1+14*x2+7*x3 == 56'], 961.715172),
    ('bt6', '2 n5', '(x1-1)^2+(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6', ['x4*x1^2+sin(x4-x5) == 2*sqrt(2.0)', 'x3^4*x2^2+x2 == 8+sqrt(2.0)'], 0.2770448),
    ('bt7', '[-2, 1, 1, 1, 1]', '100*(x2-x1^2)^2+(x1-1)^2', ['x1*x2-x3^2 == 1', 'x2^2-x4^2+x1 == 0', 'x5^2+x1 == 0.5'], 306.5),
    ('bt8', '[1, 1, 1, 0, 0]', 'x1^2+x2^2+x3^2', ['x1-1-x4^2+x2^2 == 0', 'x1^2+x2^2-1-x5^2 == 0'], 1),
    ('bt9', '2 n4', '-x1', ['x2-x1^3-x3^2 == 0', '-x2+x1^2-x4^2 == 0'], -1),
    ('bt10', '2 n2', '-x1', ['x2-x1^3 == 0', '-x2+x1^2 == 0'], -1),
    ('bt11', '2 n5', '(x1-1)^2+(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^4', ['x1+x2^2+x3^3 == sqrt(18.0)-2', 'x2+x4-x3^2 == sqrt(8.0)-2', 'x1-x5 == 2'], 0.8248918),
    ('bt12', '[15.811, 1.5811, 0, 15.083, 3.7164]', '0.01*x1^2+x2^2', ['x1+x2-x3^2 == 25', 'x1^2+x2^2-x4^2 == 25', 'x1-x5^2 == 2'], 6.1881188),
    ('maratos', '[1.1, 0.1]', '-x1+1e-6*(x1^2+x2^2-1)', ['x1^2+x2^2 == 1'], -1),
    ('hs6', '[-1.2, 1]', '(1-x1)^2', ['10*(x2-x1^2) == 0'], 0),
    ('hs7', '[2, 2]', 'log(1+x1^2)-x2', ['(1+x1^2)^2+x2^2 == 4'], -1.7320508),
    ('hs8', '[2, 1]', '-1 + 0*x1', ['x1^2+x2^2 == 25', 'x1*x2 == 9'], -1),
    ('hs9', '[0, 0]', 'sin(pi*x1/12)*cos(pi*x2/16)', ['4*x1-3*x2 == 0'], -0.5),
    ('hs26', '[-2.6, 2, 2]', '(x1-x2)^2+(x2-x3)^4', ['(1+x2^2)*x1+x3^4 == 3'], 0),
    ('hs27', '2 n3', '0.01*(x1-1)^2+(x2-x1^2)^2', ['x1+x3^2 == -1'], 0.04),
    ('hs28', '[-4, 1, 1]', '(x1+x2)^2+(x2+x3)^2', ['x1+2*x2+3*x3 == 1'], 0),
    ('hs39', '2 n4', '-x1', ['x2-x1^3-x3^2 == 0', 'x1^2-x2-x4^2 == 0'], -1),
    ('hs40', '0.8 n4', '-x1*x2*x3*x4', ['x1^3+x2^2 == 1', 'x1^2*x4-x3 == 0', 'x4^2-x2 == 0'], -0.25),
    ('hs42', '1 n4', '(x1-1)^2+(x2-2)^2+(x3-3)^2+(x4-4)^2', ['x1 == 2', 'x3^2+x4^2 == 2'], 13.8578644),
    ('hs46', '[0.70710678, 1.75, 0.5, 2, 2]', '(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6', ['x1^2*x4+sin(x4-x5) == 1', 'x2+x3^4*x4^2 == 2'], 0),
    ('hs47', '[2, 1.41421356, -1, 0.58578644, 0.5]', '(x1-x2)^2+(x2-x3)^3+(x3-x4)^4+(x4-x5)^4', ['x1+x2^2+x3^3 == 3', 'x2-x3^2+x4 == 1', 'x1*x5 == 1'], 0),
    ('hs48', '[3, 5, -3, 2, -2]', '(x1-1)^2+(x2-x3)^2+(x4-x5)^2', ['x1+x2+x3+x4+x5 == 5', 'x3-2*(x4+x5) == -3'], 0),
    ('hs49', '[10, 7, 2, -3, 0.8]', '(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6', ['x1+x2+x3+4*x4 == 7', 'x3+5*x5 == 6'], 0),
    ('hs50', '[35, -31, 11, 5, -5]', '(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^2', ['x1+2*x2+3*x3 == 6', 'x2+2*x3+3*x4 == 6', 'x3+2*x4+3*x5 == 6'], 0),
    ('hs51', '[2.5, 0.5, 2, -1, 0.5]', '(x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2', ['x1+3*x2 == 4', 'x3+x4-2*x5 == 0', 'x2-x5 == 0'], 0),
    ('hs52', '2 n5', '(4*x1-x2)^2+(x2+x3-2)^2+(x4-1)^2+(x5-1)^2', ['x1+3*x2 == 0', 'x3+x4-2*x5 == 0', 'x2-x5 == 0'], 5.3266476),
    ('hs56', '[1, 1, 1, 0.50973968, 0.50973968, 0.50973968, 0.98511078]', '-x1*x2*x3', ['x1-4.2*sin(x4)^2 == 0', 'x2-4.2*sin(x5)^2 == 0', 'x3-4.2*sin(x6)^2 == 0', 'x1+2*x2+2*x3-7.2*sin(x7)^2 == 0'], -3.456),
    ('hs61', '0 n3', '4*x1^2+2*x2^2+2*x3^2-33*x1+16*x2-24*x3', ['3*x1-2*x2^2 == 7', '4*x1-x3^2 == 11'], -143.646142),
    ('hs77', '2 n5', '(x1-1)^2+(x1-x2)^2+(x3-1)^2+(x4-1)^4+(x5-1)^6', ['x1^2*x4+sin(x4-x5) == 2*sqrt(2.0)', 'x2+x3^4*x4^2 == 8+sqrt(2.0)'], 0.24150513),
    ('hs78', '[-2, 1.5, 2, -1, -1]', 'x1*x2*x3*x4*x5', ['x1^2+x2^2+x3^2+x4^2+x5^2 == 10', 'x2*x3-5*x4*x5 == 0', 'x1^3+x2^3 == -1'], -2.91970041),
    ('hs79', '2 n5', '(x1-1)^2+(x1-x2)^2+(x2-x3)^2+(x3-x4)^4+(x4-x5)^4', ['x1+x2^2+x3^3 == 2+3*sqrt(2.0)', 'x2-x3^2+x4 == 2*sqrt(2.0)-2', 'x1*x5 == 2'], 0.07877682),
    ('byrdsphr', '[5, 1e-4, -1e-4]', '-x1-x2-x3', ['x1^2+x2^2+x3^2 == 9', '(x1-1)^2+x2^2+x3^2 == 9'], -4.68330049),
    ('hs100lnp', '[1, 2, 0, 4, 0, 1, 1]', '(x1-10)^2+5*(x2-12)^2+x3^4+3*(x4-11)^2+10*x5^6+7*x6^2+x7^4-4*x6*x7-10*x6-8*x7', ['2*x1^2+3*x2^4+x3+4*x4^2+5*x5 == 127', '-4*x1^2-x2^2+3*x1*x2-2*x3^2-5*x6+11*x7 == 0'], 680.630057),
    ('mwright', '[-1, 2, 1, -2, -2]', 'x1^2+(x1-x2)^2+(x2-x3)^3+(x3-x4)^4+(x4-x5)^4', ['x1+x2^2+x3^2 == 3*sqrt(2.0)+2', 'x2-x3^2+x4 == 2*sqrt(2.0)-2', 'x1*x5 == 2'], 24.9788095),
]


def function(text):
    """The function of x that a formula of the table is."""
    return eval('lambda x: ' + re.sub(r'x(\d)', lambda m: f'x[{int(m[1]) - 1}]', text).replace('^', '**'), globals())


def start(text):
    same = re.match(r'(\S+) n(\d)', text)
    return np.full(int(same[2]), float(same[1])) if same else np.array(eval(text), float)


for name, begin, objective, constraints, optimum in TABLE:
    f = function(objective)
    c = [function('({}) - ({})'.format(*text.split('=='))) for text in constraints]
    best = None
    # from the start, then from three points near it: the feasible end that is nearest to the optimum
    for k in range(4):
        x0 = start(begin)
        x0 = x0 + (0.05 * np.random.default_rng(k).normal(size=len(x0)) if k else 0)
        end = minimize(f, x0, method='SLSQP', constraints=[{'type': 'eq', 'fun': g} for g in c], options={'maxiter': 1000, 'ftol': 1e-14})
        if max(abs(g(end.x)) for g in c) < 1e-7 and (best is None or abs(end.fun - optimum) < abs(best - optimum)):
            best = end.fun
    agrees = best is not None and abs(best - optimum) < 1e-5 * max(1, abs(optimum))
    print(f'{name} {optimum} {"agrees" if agrees else f"SLSQP ends at {best}"}')

"""Values of SciPy (1.17.1) that stdlib/ode.opt is compared with: python3 ode.py > ode.json (pip install scipy)."""

import json

import numpy as np
from scipy.integrate import solve_ivp

values = {}


def show(name, v):
    values[name] = [float(x) for x in np.asarray(v, dtype=float).ravel()]


def lotka(t, y, p=(1.5, 1.0, 3.0, 1.0)):
    return np.array([p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1]])


def pol(t, y):
    return np.array([y[1], 2.0 * (1 - y[0] ** 2) * y[1] - y[0] + 0.5 * np.cos(t)])


exact = dict(method="DOP853", rtol=1e-13, atol=1e-13)
show("lotka", solve_ivp(lotka, (0, 3), [1.0, 0.5], t_eval=np.linspace(0, 3, 4), **exact).y.T)
show("pol", solve_ivp(pol, (0, 4), [1.0, 0.0], t_eval=[4.0], **exact).y)
# derivatives of y0(3) + 2 y1(3), by central differences of the exact solution
end = lambda p, y: solve_ivp(lotka, (0, 3), y, args=(p,), **exact).y[:, -1] @ [1.0, 2.0]
p0, y0 = np.array([1.5, 1.0, 3.0, 1.0]), np.array([1.0, 0.5])
e = 1e-5
show("by_p", [(end(p0 + e * d, y0) - end(p0 - e * d, y0)) / (2 * e) for d in np.eye(4)])
show("by_y", [(end(p0, y0 + e * d) - end(p0, y0 - e * d)) / (2 * e) for d in np.eye(2)])
# the same steps as SciPy's: end point, tries (one evaluation at the start, six a try) and steps taken
for name, f, start, until, rtol, first in [
    ("rk45_lotka", lotka, [1.0, 0.5], 10.0, 1e-4, 0.01),
    ("rk45_pol", pol, [1.0, 0.0], 12.0, 1e-6, 2.0),
    ("rk45_back", pol, [1.0, 0.0], -1.5, 1e-5, 0.1),
]:
    s = solve_ivp(f, (0, until), start, method="RK45", rtol=rtol, atol=1e-6, first_step=min(first, abs(until)))
    show(name, [*s.y[:, -1], (s.nfev - 1) / 6, len(s.t) - 1])
print(json.dumps(values))

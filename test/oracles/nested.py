"""Third and fourth derivatives of matrix functions along a curve, by differences of 60-digit arithmetic (mpmath 1.3): python3 nested.py > nested.json (pip install mpmath)."""

import json

from mpmath import cholesky, det, diff, eigsy, fsum, inverse, log, lu_solve, matrix, mp, mpf, qr, svd_r

mp.dps = 60
A = matrix([["4", "1", "0.5"], ["1", "3", "-1"], ["0.5", "-1", "2"]])
B = matrix([["1", "0.2", "0.1"], ["0.2", "5", "0.7"], ["0.1", "0.7", "-2"]])
W = matrix([[0, 1, 0], [0, 0, 2], [1, 0, 0]])


def S(t):
    return A + t * t * B / 10


def N(t):
    return S(t) + t * W / 10


def vectors(t):
    V = eigsy(S(t))[1]
    return V[0, 0] ** 2 * V[1, 0] ** 2


functions = {
    "eigenvalue": lambda t: eigsy(S(t))[0][0],
    "eigenvector": vectors,
    "singular": lambda t: svd_r(N(t))[1][1],
    "solve": lambda t: fsum(lu_solve(N(t), matrix([1, 2, 3]))),
    "inverse": lambda t: fsum(inverse(N(t))),
    "det": lambda t: det(N(t)),
    "logabsdet": lambda t: log(det(N(t))),
    "qr": lambda t: abs(qr(N(t))[1][1, 1]),
    "cholesky": lambda t: cholesky(S(t))[2, 1],
}
at = mpf("0.5")
values = {
    name: [round(float(diff(f, at, 3, h=mpf(10) ** -12)), 10), round(float(diff(f, at, 4, h=mpf(10) ** -10)), 10)]
    for name, f in functions.items()
}
print(json.dumps(values))

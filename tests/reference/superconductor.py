"""Slow, 30-digit twins of the superconductor formulas, from other forms of the theory than the compiled ones.

Conductivity: the three integrals of Zimmermann et al., Physica C 183, 99 (1991), over positive energies.
Gap: the Matsubara sum, done term by term. dI/dV: the plain convolution. Everything in units of Delta unless
said otherwise. `python tests/reference/superconductor.py` rewrites the stored table.
"""

import json
from pathlib import Path

import mpmath as mp

TABLE = Path(__file__).with_name("superconductor_table.json")


def _th(e, temp):
    return mp.tanh(e / (2 * temp)) if temp else mp.sign(e)


def _sqrt(u):
    """Square root of a number that is positive but for the rounding of an integration end point."""
    return mp.sqrt(max(u, mp.eps))


def _points(low, high, *scales):
    """Break points between two square-root endpoints, clustered at both on every given scale."""
    length = high - low
    near = sorted({s for s in scales if 0 < s < length / 2} | {length / 2})
    return [low, *(low + s for s in near), *(high - s for s in reversed(near[:-1])), high]


def zimmermann(omega, temp, tau):
    """sigma/sigma_n at hbar omega, k_B T (in Delta) and Delta tau/hbar; complex mpmath number, 30 digits."""
    with mp.workdps(60):
        w, t, rate = mp.mpf(omega), mp.mpf(temp), 1j / mp.mpf(tau)

        def i1(e):
            p4, p2 = 1j * _sqrt(1 - (e - w) ** 2), _sqrt(e * e - 1)
            c = (1 + e * (e - w)) / (p4 * p2)
            return _th(e, t) * ((1 - c) / (p4 + p2 + rate) - (1 + c) / (p4 - p2 + rate))

        def i2(e):
            p1, p2 = _sqrt((e + w) ** 2 - 1), _sqrt(e * e - 1)
            c = (1 + e * (e + w)) / (p1 * p2)
            first = (1 + c) / (p1 - p2 + rate) - (1 - c) / (-p1 - p2 + rate)
            second = (1 - c) / (p1 + p2 + rate) - (1 + c) / (p1 - p2 + rate)
            return _th(e + w, t) * first + _th(e, t) * second

        def i3(e):
            p3, p2 = _sqrt((e - w) ** 2 - 1), _sqrt(e * e - 1)
            c = (1 + e * (e - w)) / (p3 * p2)
            return _th(e, t) * ((1 - c) / (p3 + p2 + rate) - (1 + c) / (p3 - p2 + rate))

        pole = 1 / mp.mpf(tau) ** 2
        scales = [abs(w - 2), w, t, pole / 100, pole, pole * 100, mp.mpf(1), mp.mpf(1) / 30]
        if w <= 2:
            j = mp.quad(i1, _points(mp.mpf(1), w + 1, *scales))
        else:
            middle = [s / tau / w for s in (mp.mpf(1) / 10, mp.mpf(1), mp.mpf(10))]
            j = mp.quad(i1, _points(w - 1, w + 1, *scales))
            low, high = _points(mp.mpf(1), w / 2, *scales, *middle), _points(w / 2, w - 1, *scales, *middle)
            j += mp.quad(i3, low + high[1:])
        scales += [1 / mp.mpf(tau), 10 * t, 40 * t, 100 * t, 10 * w]
        ends = sorted({1 + s for s in scales if s > 0})
        j += mp.quad(i2, [mp.mpf(1), *ends, mp.inf])
        return 1j / (2 * w * tau) * j


def dynes(omega, temp, gamma, width):
    """sigma/sigma_n of a Dynes superconductor, width = hbar/tau + 2 Gamma in Delta (mp.inf if dirty).

    The whole energy axis, Green's functions taken literally on both sides of the cut; nothing symmetrised.
    """
    with mp.workdps(30):
        w, t, g, total = mp.mpf(omega), mp.mpf(temp), mp.mpf(gamma), mp.mpf(width)

        def functions(e, side):
            z = e + side * 1j * g
            root = mp.sqrt(1 - z * z)
            return root, -1j * z / root, 1 / root

        def bubble(e, side, side_up):
            r, n, p = functions(e, side)
            ru, nu, pu = functions(e + w, side_up)
            excess = 0 if mp.isinf(total) else (r + ru - 2 * g) / total
            return (1 - n * nu + p * pu) / (1 + excess)

        def integrand(e):
            rr, ar, aa = bubble(e, 1, 1), bubble(e, -1, 1), bubble(e, -1, -1)
            return _th(e, t) * (rr - ar) + _th(e + w, t) * (ar - aa)

        steps = [g / 10, g, 10 * g, 100 * g, t, 10 * t, 40 * t]
        if not mp.isinf(total):
            steps += [total / 3, total, 3 * total, total**2]
        centres = [mp.mpf(-1), mp.mpf(0), mp.mpf(1), -w - 1, -w, 1 - w, -w / 2]
        far = 100 * max([1, w, 40 * t, g] + ([] if mp.isinf(total) else [total]))
        points = {c + s * d for c in centres for s in (-1, 1) for d in [0, *steps]}
        inside = sorted(p for p in points if abs(p) < far)
        # In the dirty limit the tails fall like 1/E^3; elsewhere faster.
        whole = mp.quad(integrand, [-mp.inf, -far, *inside, far, mp.inf])
        return whole / (4 * w)


def tunnelling(bias, gamma, temp):
    """dI/dV over its normal value at eV, Gamma, k_B T in units of Delta."""
    with mp.workdps(30):
        v, g, t = mp.mpf(bias), mp.mpf(gamma), mp.mpf(temp)

        def dos(e):
            z = e + 1j * g
            return abs(mp.re(z / mp.sqrt(z - 1) / mp.sqrt(z + 1))) if g or abs(e) > 1 else mp.mpf(0)

        def integrand(e):
            return dos(e) / (4 * t * mp.cosh((e - v) / (2 * t)) ** 2)

        near = abs(v - 1)                  # the singular edge may lie just outside a piece
        steps = [0, g / 10, g, 10 * g, t / 3, t, 3 * t, 10 * t, 30 * t, near, 10 * near, 100 * near]
        points = {c + s * d for c in (mp.mpf(-1), mp.mpf(1), v) for s in (-1, 1) for d in steps}
        inside = sorted(p for p in points if abs(p - v) < 80 * t)
        return mp.quad(integrand, [v - 80 * t, *inside, v + 80 * t])


def gap(reduced_t, reduced_gamma=0):
    """Delta/(k Tc0) at T/Tc0 and Gamma/(k Tc0): the gap equation summed by mpmath, solved by secant."""
    with mp.workdps(25):
        t, g = mp.mpf(reduced_t), mp.mpf(reduced_gamma)

        def mismatch(delta):
            def term(n):
                omega = mp.pi * t * (2 * n + 1)
                return 1 / mp.sqrt((omega + g) ** 2 + delta**2) - 1 / omega

            return mp.log(t) - 2 * mp.pi * t * mp.nsum(term, [0, mp.inf], method="euler-maclaurin")

        start = mp.mpf("1.764") * mp.sqrt(max(1 - t**3 - 2 * g / mp.mpf("1.764"), mp.mpf("0.001")))
        return mp.findroot(mismatch, (start, start * mp.mpf("0.97")), solver="secant")


def _entry(function, *arguments):
    value = function(*arguments)
    parts = [mp.re(value), mp.im(value)] if isinstance(value, mp.mpc) else [value]
    return {"arguments": list(arguments), "value": [mp.nstr(part, 20) for part in parts]}


def make_table():
    """The stored references: every argument is the exact double the tests pass to the fast code."""
    table = {"zimmermann": [], "dynes": [], "tunnelling": [], "gap": []}
    for reduced in (0.05, 0.4, 0.8, 0.99):
        temp = float(reduced / gap(reduced))                     # k T/Delta(T) at T/Tc = reduced
        for half_omega in (1e-3, 0.1, 0.9, 0.9999, 1.0001, 1.5, 20.0):
            for impurity in (1e-3, 0.1, 3.0, 1e4):               # hbar/(2 Delta tau)
                table["zimmermann"].append(_entry(zimmermann, 2 * half_omega, temp, 0.5 / impurity))
    for arguments in ((1.0, 0.3, 0.1, 2.0), (3.0, 0.3, 0.1, 2.0), (0.02, 0.05, 0.01, 1e4),
                      (2.0, 0.1, 1e-3, 0.5), (1.0, 0.02, 1e-4, 100.0), (0.5, 0.02, 0.3, 1.0),
                      (10.0, 0.5, 0.02, 0.05),
                      (0.9, 0.0, 0.02, 3.0), (2.5, 2.0, 0.05, 30.0), (40.0, 0.1, 0.02, 5.0)):
        table["dynes"].append(_entry(dynes, *arguments))
    for bias in (0.0, 0.5, 0.98, 1.0, 1.1, 3.0):
        for gamma, temp in ((0.0, 0.05), (1e-3, 0.02), (0.02, 0.1), (0.1, 0.5)):
            table["tunnelling"].append(_entry(tunnelling, bias, gamma, temp))
    for reduced in (0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999):
        table["gap"].append(_entry(gap, reduced, 0))
    for reduced, gamma in ((0.02, 0.1), (0.1, 0.2), (0.5, 0.3), (0.7, 0.1)):
        table["gap"].append(_entry(gap, reduced, gamma))
    return table


if __name__ == "__main__":
    TABLE.write_text(json.dumps(make_table(), indent=0) + "\n")

"""Kinds of correlators, and the integral that defines the spectrum A of each.

Even kinds have A(omega) = A(-omega) >= 0; integrals run over omega > 0. Two-sided kinds have A >= 0 on both
sides, different ones; integrals run over all omega.
"""

from __future__ import annotations

from dataclasses import dataclass

EVEN = "cosh[w (tau - beta/2)]/sinh(w beta/2)"


@dataclass(frozen=True)
class KindOfData:
    """One kind of correlator.

    integral   formula of the data as an integral over A; w is omega, w_n the Matsubara frequency
    two_sided  whether A differs at +omega and -omega
    fermionic  w_n = (2 n + 1) pi/beta
    complex_   the data are complex: real and imaginary parts are rows of their own
    """

    integral: str
    two_sided: bool = False
    fermionic: bool = False
    complex_: bool = False


KINDS: dict[str, KindOfData] = {
    "rho_iw": KindOfData("rho(i w_n) = rho_s + (2/pi) int_0^inf dw w_n^2/(w^2 + w_n^2) A, A = sigma_reg"),
    "lambda_iw": KindOfData(
        "Lambda(i w_n) = constant + (2/pi) int_0^inf dw w^2/(w^2 + w_n^2) A, A = sigma_reg"
    ),
    "lambda_tau": KindOfData(f"Lambda(tau) = (1/pi) int_0^inf dw w {EVEN} A, A = sigma_reg"),
    "green_tau": KindOfData(f"G(tau) = (1/pi) int_0^inf dw w {EVEN} A, A = P/w"),
    "chi_tau": KindOfData(f"chi(tau) = (1/pi) int_0^inf dw w {EVEN} A, A = chi''/w"),
    "chi_iw": KindOfData("chi(i w_n) = (2/pi) int_0^inf dw w^2/(w^2 + w_n^2) A, A = chi''/w"),
    "fermion_tau": KindOfData(
        "-G(tau) = <c(tau) c^+> = int dw exp(-w tau)/(1 + exp(-beta w)) A over all w", True, True
    ),
    "fermion_iw": KindOfData("G(i w_n) = int dw A/(i w_n - w) over all w", True, True, True),
    "boson_tau": KindOfData(
        "C(tau) = (1/pi) int dw w exp(-w tau)/(1 - exp(-beta w)) A over all w, A = C''/w", True
    ),
    "boson_iw": KindOfData(
        "C(i w_n) = (1/pi) int dw w/(w - i w_n) A over all w, A = C''/w", True, complex_=True
    ),
}
EVEN_KINDS = tuple(name for name, kind in KINDS.items() if not kind.two_sided)


def definition(name: str) -> str:
    """Return the integral of a kind with its sign, for messages."""
    return f"{name}: {KINDS[name].integral}, A >= 0"

"""Names of quantities as symbols in HTML: rho_s becomes an italic rho with an index. No script, no fonts."""

import re

from sitqmc.runs.results.report.html import text

GREEK = {
    "rho": "ρ", "kappa": "κ", "sigma": "σ", "omega": "ω", "chi": "χ", "beta": "β", "tau": "τ", "eps": "ε",
    "xi": "ξ", "mu": "μ", "alpha": "α", "delta": "δ",
}  # fmt: skip
WORDS = "|".join(GREEK)
NAME = re.compile(rf"(?<![\w.])({WORDS}|[A-Za-zα-ω])(?:_([A-Za-z]+\d*|\d))?(\^?\d(?!\w))?(?![\w.])")
"""A Greek word or a letter, its index, and an exponent of one digit."""


def symbols(plain: str) -> str:
    """Return a text as HTML with its symbols set: letters in italics, Greek letters, indices, exponents.

    A single letter is set where it is the whole text, or has an index, an exponent or an equals sign.
    """
    escaped = text(plain).replace("&lt;-k_x&gt;", "⟨−k_x⟩").replace("minus_k", "⟨−k_x⟩")
    return f"<i>{escaped}</i>" if len(plain) == 1 and plain.isalpha() else NAME.sub(_set, escaped)


def _set(match: re.Match[str]) -> str:
    name, index, power = match.groups()
    alone = index is None and power is None
    rest = match.string[match.end():]
    if alone and name not in GREEK and not rest.startswith(" = "):
        return match.group(0)
    out = f"<i>{GREEK.get(name, name)}</i>"
    if index:
        out += f"<sub>{GREEK.get(index, index)}</sub>"
    return out + (f"<sup>{power.lstrip('^')}</sup>" if power else "")

"""Names and units of measured columns: quantity of a head, and factor to its standard unit.

Every head is understood or refused. A name that fits two quantities, or a missing unit where two are usual,
is refused in one line that names both readings.
"""

import re
from dataclasses import dataclass

import numpy as np

from sitqmc.analytic.measurements.scans import DataError
from sitqmc.analytic.units import C_SI, MEV_PER_K, MEV_PER_THZ, Array, cm_to_thz

PERCENT = {"%": 1e-2, "percent": 1e-2, "1": 1.0, "a.u.": 1.0, "arb.u.": 1.0, "rel": 1.0}
FREQUENCY = {
    "thz": 1.0, "ghz": 1e-3, "mhz": 1e-6, "hz": 1e-12, "1/ps": 1.0, "ps^-1": 1.0,
    "cm^-1": cm_to_thz(1.0), "1/cm": cm_to_thz(1.0), "cm-1": cm_to_thz(1.0), "m^-1": cm_to_thz(0.01),
    "mev": 1.0 / MEV_PER_THZ, "ev": 1e3 / MEV_PER_THZ, "k": MEV_PER_K / MEV_PER_THZ,
    "rad/ps": 1.0 / (2 * np.pi), "rad/s": 1e-12 / (2 * np.pi),
}  # fmt: skip
WAVELENGTH = {"um": 1e-6, "mm": 1e-3, "nm": 1e-9, "m": 1.0, "cm": 1e-2}
DEGREE = np.pi / 180.0
ANGLE = {"rad": 1.0, "deg": DEGREE, "°": DEGREE, "degree": DEGREE, "degrees": DEGREE, "radian": 1.0,
         "radians": 1.0, "pi": np.pi}  # fmt: skip
TIME = {"ps": 1.0, "fs": 1e-3, "s": 1e12, "ns": 1e3, "us": 1e6}
CONDUCTIVITY = {
    "s/m": 1e-2, "1/(ohm m)": 1e-2, "ohm^-1 m^-1": 1e-2, "s/cm": 1.0, "1/(ohm cm)": 1.0, "ohm^-1 cm^-1": 1.0,
    "(ohm cm)^-1": 1.0, "(ohm m)^-1": 1e-2, "ks/m": 10.0, "ms/m": 1e4, "ks/cm": 1e3, "1e4 s/m": 100.0,
    "1e5 s/m": 1e3, "1e6 s/m": 1e4, "s cm^-1": 1.0, "s m^-1": 1e-2,
}  # fmt: skip
VOLTAGE = {"mv": 1.0, "v": 1e3, "uv": 1e-3}
CURRENT = {"a": 1.0, "ma": 1e-3, "ua": 1e-6, "na": 1e-9, "pa": 1e-12}
CONDUCTANCE = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "1/ohm": 1.0, "a/v": 1.0, "na/v": 1e-9, "v": 1.0,
               "e^2/h": 1.0, "2e^2/h": 1.0, "mv": 1.0, "a": 1.0, **PERCENT}  # fmt: skip
TEMPERATURE = {"k": 1.0, "mk": 1e-3}


@dataclass(frozen=True)
class Quantity:
    """A measured quantity, with its known units and the unit when none is given.

    units    unit -> factor to THz, rad, ps, ohm^-1 cm^-1, mV ...
    default  factor without a unit; None: a unit is required
    """

    units: dict[str, float]
    default: float | None = None


QUANTITIES = {
    "frequency": Quantity(FREQUENCY), "wavelength": Quantity(WAVELENGTH),
    "t": Quantity(PERCENT, 1.0), "T": Quantity(PERCENT, 1.0), "t_db": Quantity({"db": 1.0}, 1.0),
    "theta": Quantity(ANGLE), "re_t": Quantity(PERCENT, 1.0), "im_t": Quantity(PERCENT, 1.0),
    "t_error": Quantity(PERCENT, 1.0), "T_error": Quantity(PERCENT, 1.0), "theta_error": Quantity(ANGLE),
    "sigma1": Quantity(CONDUCTIVITY), "sigma2": Quantity(CONDUCTIVITY),
    "sigma1_error": Quantity(CONDUCTIVITY), "sigma2_error": Quantity(CONDUCTIVITY),
    "bias": Quantity(VOLTAGE), "didv": Quantity(CONDUCTANCE, 1.0), "didv_error": Quantity(CONDUCTANCE, 1.0),
    "current": Quantity(CURRENT), "time": Quantity(TIME),
    "sample": Quantity({**VOLTAGE, **CURRENT, **PERCENT}, 1.0),
    "reference": Quantity({**VOLTAGE, **CURRENT, **PERCENT}, 1.0),
    "temperature": Quantity(TEMPERATURE),
}  # fmt: skip


def _error_of(name: str, *, case: bool = False) -> str:
    """Return the pattern of the error of a quantity: sigma_t, err t, t_error, t std ..."""
    before = r"(?:sigma|err(?:or)?|std|d|delta|u)[ _]?(?:of )?"
    pattern = rf"{before}(?:{name})|(?:{name})[ _]?(?:err(?:or)?|std|unc\w*)"
    return pattern if case else f"(?i){pattern}"


_OF_T = r"(?:[ _]?[({]?t(?:rans\w*)?[)}]?)"
_FIELD = r"(?:transmission )?amplitude|field[ _]transmission|t[ _]?field|(?:amplitude|field) transmission"
_POWER = r"transmittance|power[ _]transmission|transmitted power|intensity transmission|T[ _]?power"

# The first pattern that matches the whole name decides; case counts for t (field) and T (power) alone.
SYNONYMS: tuple[tuple[str, str], ...] = (
    ("theta_error", _error_of("theta|phase|phi")),
    ("T_error", _error_of("T|(?i:transmittance)", case=True)),
    ("t_error", _error_of(r"\|?t\|?|(?i:amplitude|field)", case=True)),
    ("sigma1_error", _error_of("(?:sigma|s)[ _]?1")),
    ("sigma2_error", _error_of("(?:sigma|s)[ _]?2")),
    ("didv_error", _error_of("d[ij]/?dv")),
    ("re_t", rf"(?i)re{_OF_T}|real(?:[ _]?part)?(?:[ _]of)?{_OF_T}?|t[ _]?re(?:al)?|t'"),
    ("im_t", rf"(?i)im{_OF_T}|imag(?:inary)?(?:[ _]?part)?(?:[ _]of)?{_OF_T}?|t[ _]?im(?:ag)?|t''"),
    ("sigma1", r"(?i)(?:sigma|s)[ _]?1|(?:re|real)[ _]?[({]?sigma[)}]?"),
    ("sigma2", r"(?i)(?:sigma|s)[ _]?2|(?:im|imag)[ _]?[({]?sigma[)}]?"),
    ("wavelength", r"(?i)(?:vacuum )?wave ?length|lambda"),
    ("frequency", r"(?i)(?:angular )?freq(?:uency|\.)?|f|nu|wave ?number|(?:photon )?energy|h ?nu|omega|w"),
    ("time", r"(?i)(?:optical )?(?:time|delay)(?: delay| time)?"),
    ("theta", r"(?i)theta|phase|phi|arg(?:ument)?(?:[ _(]*t\)?)?|phase (?:shift|difference)"),
    ("T", rf"T|\|[tT]\|\^?2|(?i:{_POWER})"),
    ("t", rf"t|\|t\||abs\(?t\)?|(?i:{_FIELD})"),
    ("didv", r"(?i)(?:norm(?:ali[sz]ed)?\.? )?d[ij]/?d[vu]|(?:differential )?conductance|g|li demod \d x"),
    ("current", r"(?i)current|i|i[ _]?tunnel"),
    ("bias", r"(?i)(?:sample )?bias(?: voltage| calc)?|voltage|v|u|v[ _]?bias"),
    ("sample", r"(?i)(?:e|u|signal|amplitude)?[ _]?sam(?:ple)?(?: signal)?|sig(?:nal)?"),
    ("reference", r"(?i)(?:e|u|signal|amplitude)?[ _]?ref(?:erence)?(?: signal)?|background"),
    ("temperature", r"(?i)temp(?:erature)?\.?"),
)  # fmt: skip
AMBIGUOUS = {
    "transmission": ("the field t", "the power T"), "trans": ("the field t", "the power T"),
    "tr": ("the field t", "the power T"), "error": ("t_error", "theta_error"),
    "intensity": ("the power T", "an uncalibrated signal"),
}  # fmt: skip
GREEK = {"θ": "theta", "φ": "phi", "ϕ": "phi", "ν": "nu", "σ": "sigma", "λ": "lambda", "ω": "omega",
         "\u03bc": "u", "\u00b5": "u", "\u03a9": "ohm", "\u2126": "ohm", "₁": "1",
         "₂": "2", "²": "^2", "⁻¹": "^-1", "·": " ", "−": "-", "Δ": "delta", "δ": "delta"}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column that was understood: quantity, factor to its standard unit, and its head as written."""

    quantity: str
    factor: float
    unit: str
    head: str

    def __str__(self) -> str:
        return f"{self.head!r} -> {self.quantity}{f' in {self.unit}' if self.unit else ''}"


def _plain(text: str) -> str:
    for letter, name in GREEK.items():
        text = text.replace(letter, name)
    return re.sub(r"[$\\{}]", "", text).strip()


def _unit_key(unit: str) -> str:
    """Return the spelling of a unit in the tables: lower case, ^-1 for negative powers."""
    text = _plain(unit).strip().replace("**", "^").replace("×", " ").replace("*", " ")
    text = re.sub(r"(?i)\bohms?\b", "ohm", text)
    text = re.sub(r"(?i)\bdegs\b|°", "deg", text)
    text = re.sub(r"(?<=[a-z)])\s*-1\b", "^-1", text.lower())
    text = re.sub(r"\^-1(?=[a-z])", "^-1 ", text)
    return re.sub(r"\s+", " ", text).strip()


def _lookup(units: dict[str, float], unit: str) -> float | None:
    """Return the factor of a unit, if it is known; mS and MS, mV and MV are told apart by case."""
    key = _unit_key(unit)
    stripped = unit.strip()
    if stripped[:1] == "M" and key in ("mv", "ms", "ma", "mk", "mev"):
        return None
    if stripped.startswith("mS/m"):
        return 1e-5 if "ms/m" in units else None
    return units.get(key)


def is_unit(text: str) -> bool:
    """Return whether a text is a unit of some known quantity."""
    return any(_lookup(q.units, text) is not None for q in QUANTITIES.values())


def split_head(head: str) -> tuple[str, str | None]:
    """Return name and unit of a head: `nu [THz]`, `Frequency (cm-1)`, `f/THz`, `Wavenumber cm^-1`, `T`."""
    text = head.strip().strip('"').strip()
    bracket = re.fullmatch(r"(.*?)\s*\[([^\]]*)\]|(.*\S)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)", text)
    if bracket:
        name, unit = (
            (bracket.group(1), bracket.group(2)) if bracket.group(1) is not None else bracket.group(3, 4)
        )
        if bracket.group(1) is not None or is_unit(unit) or not _quantity(text):
            return name, unit
    for separator in ("/", ",", "_", " "):
        name, found, unit = text.partition(separator) if separator != " " else text.rpartition(separator)
        if found and name and unit and is_unit(unit.strip()) and _known(name):
            return name.strip(), unit.strip()
    return text, None


def _known(name: str) -> bool:
    return _quantity(name) is not None or _plain(name).lower() in AMBIGUOUS


def _quantity(name: str) -> str | None:
    text = re.sub(r"\s+", " ", _plain(name))
    return next((quantity for quantity, pattern in SYNONYMS if re.fullmatch(pattern, text)), None)


def understand(head: str, where: str) -> Column:
    """Return the quantity and the factor of a head.

    raises  DataError for an unknown name or unit, a missing unit, or a name that fits two quantities
    """
    name, unit = split_head(head)
    plain = _plain(name).lower()
    quantity = _quantity(name)
    if unit is not None and _unit_key(unit) == "db":
        return Column("t_db", 1.0, "dB", head)
    if quantity is None and plain in AMBIGUOUS:
        one, other = AMBIGUOUS[plain]
        raise DataError(f"{where}: column {name!r} may be {one} or {other}; rename it or pass columns=[...]")
    if quantity is None and plain in ("ref_ind", "kappa", "alpha", "refractive index"):
        raise DataError(f"{where}: column {name!r} describes a bare substrate; use read_substrate")
    if quantity is None:
        raise DataError(f"{where}: unknown column {name!r}; known: {', '.join(QUANTITIES)}")
    if plain == "omega" and unit is not None and not unit.strip().startswith("rad"):
        raise DataError(
            f"{where}: omega [{unit}] may be a frequency or an angular frequency; name it nu [{unit}] or "
            "omega [rad/ps]"
        )
    if quantity == "frequency" and unit is not None and _lookup(WAVELENGTH, unit) is not None:
        quantity = "wavelength"
    return _column(quantity, name, unit, head, where)


def _column(quantity: str, name: str, unit: str | None, head: str, where: str) -> Column:
    """Return the column of a quantity with a checked unit."""
    known = QUANTITIES[quantity]
    if unit is None or not unit.strip():
        if known.default is None:
            raise DataError(
                f"{where}: {name} has no unit; write {name} [{' or '.join(list(known.units)[:4])}]"
            )
        return Column(quantity, known.default, "", head)
    factor = _lookup(known.units, unit)
    if factor is None:
        units = ", ".join(known.units)
        raise DataError(f"{where}: unit [{unit}] of {name} is not known; use one of {units}")
    return Column(quantity, factor, unit.strip(), head)


def to_frequency(column: Column, values: Array) -> Array:
    """Return frequencies in THz of a frequency or wavelength column."""
    if column.quantity == "wavelength":
        with np.errstate(divide="ignore"):
            return np.asarray(C_SI * 1e-12 / (values * column.factor))
    return values * column.factor

"""Theory of the laboratory side: superconductor conductivities, optics, fits, units.

Energies in meV, frequencies in THz, temperatures in K, conductivities in ohm^-1 cm^-1, lengths in nm (films)
and um (substrates); the unit is part of every name. Time convention exp(-i omega t) and
sigma = sigma1 + i sigma2, so sigma2 > 0 for a superconductor. Names are loaded on first use, so importing
the package is cheap.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "analysis": ["FilmAnalysis", "analyse_film", "fit_substrate"],
    "comparison": ["Comparison", "FamilyComparison", "TheoryCurve", "compare", "compare_family",
                   "e_j_from_stiffness", "to_laboratory"],
    "datafiles": ["read_scan", "read_tunnelling", "write_scan", "write_tunnelling"],
    "dirty_limit": ["mattis_bardeen"],
    "dynes": ["dynes_conductivity"],
    "extraction": ["Extraction", "invert_scan", "mount_variations", "routine_2"],
    "filmfit": ["FilmFit", "FilmSetup", "film_sigma", "fit_film", "fit_normal", "routine_1"],
    "fitting": ["Fit", "Unknown", "fit"],
    "gap": ["BCS_RATIO", "critical_temperature", "gap_mev"],
    "higgs": ["MassScaling", "critical_mass_over_stiffness", "fit_mass_scaling", "higgs_mass_mev"],
    "instrument": ["Instrument"],
    "kramers_kronig": ["smooth_transform_matrix", "transform_matrix"],
    "layers": ["stack"],
    "matsubara": ["film_stiffness_mev", "matsubara_conductivity", "penetration_depth_nm",
                  "stiffness_slope_mev", "superfluid_fraction"],
    "measured": ["DataError", "ThzScan", "TunnellingCurve", "thz_scan", "tunnelling_curve"],
    "normal_state": ["drude", "drude_weight", "scattering_mev_from_tau"],
    "purity": ["finite_purity"],
    "quantities": ["Background", "Excess", "Interval", "MissingWeight", "Superfluid", "excess",
                   "excess_peak", "line_through_origin", "missing_weight", "omega_minimum",
                   "superfluid"],
    "sample": ["Sample", "Substrate", "incoherent_power", "invert", "thin_film_sigma",
               "thin_film_transmission", "transmission", "unwrapped_phase"],
    "synthetic": ["FILMS", "SyntheticFilm", "bundled_films", "measure", "measure_tunnelling", "write_films"],
    "tunnelfit": ["TunnelFit", "fit_tunnelling"],
    "tunnelling": ["dynes_dos", "tunnelling_conductance"],
    "units": ["MEV_PER_K", "MEV_PER_THZ", "SIGMA_Q_S", "Z0_OHM", "cm_to_thz", "kelvin_to_mev",
              "mev_to_thz", "sheet_conductance", "sheet_to_sigma", "thz_to_cm", "thz_to_mev"],
    "verdict": ["Verdict"],
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'analytic' has no attribute {name!r}")
    return getattr(import_module(f"analytic.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__

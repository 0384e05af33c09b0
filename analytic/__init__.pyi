from .comparison import (
    Comparison as Comparison,
)
from .comparison import (
    FamilyComparison as FamilyComparison,
)
from .comparison import (
    TheoryCurve as TheoryCurve,
)
from .comparison import (
    compare as compare,
)
from .comparison import (
    compare_family as compare_family,
)
from .comparison import (
    compare_film as compare_film,
)
from .comparison import (
    e_j_from_stiffness as e_j_from_stiffness,
)
from .comparison import (
    to_laboratory as to_laboratory,
)
from .film.analysis import (
    FilmAnalysis as FilmAnalysis,
)
from .film.analysis import (
    analyse_film as analyse_film,
)
from .film.analysis import (
    fit_substrate as fit_substrate,
)
from .film.derived import (
    Background as Background,
)
from .film.derived import (
    ExcessConductivity as ExcessConductivity,
)
from .film.derived import (
    MissingWeight as MissingWeight,
)
from .film.derived import (
    SuperfluidDensity as SuperfluidDensity,
)
from .film.derived import (
    excess as excess,
)
from .film.derived import (
    excess_peak as excess_peak,
)
from .film.derived import (
    line_through_origin as line_through_origin,
)
from .film.derived import (
    missing_weight as missing_weight,
)
from .film.derived import (
    omega_minimum as omega_minimum,
)
from .film.derived import (
    superfluid as superfluid,
)
from .film.inversion import (
    MeasuredConductivity as MeasuredConductivity,
)
from .film.inversion import (
    instrument_variations as instrument_variations,
)
from .film.inversion import (
    invert_resonance_bands as invert_resonance_bands,
)
from .film.inversion import (
    invert_scan as invert_scan,
)
from .film.mount.fit import MountFit as MountFit
from .film.mount.fit import fit_mount as fit_mount
from .film.mount.model import MountPriors as MountPriors
from .film.mount.state import FilmState as FilmState
from .film.transmission_fit import (
    FilmFit as FilmFit,
)
from .film.transmission_fit import (
    FilmSetup as FilmSetup,
)
from .film.transmission_fit import (
    film_sigma as film_sigma,
)
from .film.transmission_fit import (
    fit_film as fit_film,
)
from .film.transmission_fit import (
    fit_normal as fit_normal,
)
from .film.transmission_fit import (
    fit_superconductor as fit_superconductor,
)
from .film.tunnelling_fit import TunnelFit as TunnelFit
from .film.tunnelling_fit import fit_tunnelling as fit_tunnelling
from .measurements.mock import MockFilm as MockFilm
from .measurements.mock import mock_film as mock_film
from .measurements.scans import (
    DataError as DataError,
)
from .measurements.scans import (
    ThzScan as ThzScan,
)
from .measurements.scans import (
    TunnellingCurve as TunnellingCurve,
)
from .measurements.scans import (
    mean_scan as mean_scan,
)
from .measurements.scans import (
    thz_scan as thz_scan,
)
from .measurements.scans import (
    tunnelling_curve as tunnelling_curve,
)
from .measurements.synthetic import (
    SYNTHETIC_FILMS as SYNTHETIC_FILMS,
)
from .measurements.synthetic import (
    SyntheticFilm as SyntheticFilm,
)
from .measurements.synthetic import (
    synthetic_scan as synthetic_scan,
)
from .measurements.synthetic import (
    synthetic_tunnelling as synthetic_tunnelling,
)
from .measurements.time_domain import Trace as Trace
from .measurements.time_domain import scan_of_traces as scan_of_traces
from .numerics.goodness_of_fit import FitQuality as FitQuality
from .numerics.kramers_kronig import (
    smooth_transform_matrix as smooth_transform_matrix,
)
from .numerics.kramers_kronig import (
    transform_matrix as transform_matrix,
)
from .numerics.least_squares import FitResult as FitResult
from .numerics.least_squares import FreeParameter as FreeParameter
from .numerics.least_squares import fit as fit
from .optics.film_on_substrate import (
    FilmOnSubstrate as FilmOnSubstrate,
)
from .optics.film_on_substrate import (
    Substrate as Substrate,
)
from .optics.film_on_substrate import (
    incoherent_power as incoherent_power,
)
from .optics.film_on_substrate import (
    thin_film_sigma as thin_film_sigma,
)
from .optics.film_on_substrate import (
    thin_film_transmission as thin_film_transmission,
)
from .optics.film_on_substrate import (
    transmission as transmission,
)
from .optics.film_on_substrate import (
    unwrapped_phase as unwrapped_phase,
)
from .optics.instrument import Instrument as Instrument
from .optics.inversion import invert as invert
from .optics.multilayer import stack as stack
from .optics.substrates import SUBSTRATES as SUBSTRATES
from .optics.substrates import substrate as substrate
from .superconductor.drude import (
    drude as drude,
)
from .superconductor.drude import (
    drude_weight as drude_weight,
)
from .superconductor.drude import (
    scattering_mev_from_tau as scattering_mev_from_tau,
)
from .superconductor.dynes import dynes_conductivity as dynes_conductivity
from .superconductor.finite_scattering import finite_scattering_conductivity as finite_scattering_conductivity
from .superconductor.gap import (
    BCS_RATIO as BCS_RATIO,
)
from .superconductor.gap import (
    critical_temperature as critical_temperature,
)
from .superconductor.gap import (
    gap_mev as gap_mev,
)
from .superconductor.higgs_mass import (
    MassScaling as MassScaling,
)
from .superconductor.higgs_mass import (
    critical_mass_over_stiffness as critical_mass_over_stiffness,
)
from .superconductor.higgs_mass import (
    fit_mass_scaling as fit_mass_scaling,
)
from .superconductor.higgs_mass import (
    higgs_mass_mev as higgs_mass_mev,
)
from .superconductor.matsubara import (
    film_stiffness_mev as film_stiffness_mev,
)
from .superconductor.matsubara import (
    matsubara_conductivity as matsubara_conductivity,
)
from .superconductor.matsubara import (
    penetration_depth_nm as penetration_depth_nm,
)
from .superconductor.matsubara import (
    stiffness_slope_mev as stiffness_slope_mev,
)
from .superconductor.matsubara import (
    superfluid_fraction as superfluid_fraction,
)
from .superconductor.mattis_bardeen import mattis_bardeen as mattis_bardeen
from .superconductor.tunnelling import (
    dynes_dos as dynes_dos,
)
from .superconductor.tunnelling import (
    tunnelling_conductance as tunnelling_conductance,
)
from .units import (
    MEV_PER_K as MEV_PER_K,
)
from .units import (
    MEV_PER_THZ as MEV_PER_THZ,
)
from .units import (
    SIGMA_Q_S as SIGMA_Q_S,
)
from .units import (
    Z0_OHM as Z0_OHM,
)
from .units import (
    cm_to_thz as cm_to_thz,
)
from .units import (
    kelvin_to_mev as kelvin_to_mev,
)
from .units import (
    mev_to_thz as mev_to_thz,
)
from .units import (
    sheet_conductance as sheet_conductance,
)
from .units import (
    sheet_to_sigma as sheet_to_sigma,
)
from .units import (
    thz_to_cm as thz_to_cm,
)
from .units import (
    thz_to_mev as thz_to_mev,
)

from .chains.adaptive import (
    StartCheck as StartCheck,
)
from .chains.adaptive import (
    compare_hot_cold as compare_hot_cold,
)
from .chains.adaptive import (
    run_to_error as run_to_error,
)
from .chains.bins import ChainResult as ChainResult
from .chains.chains import (
    Chains as Chains,
)
from .chains.chains import (
    run_chain as run_chain,
)
from .chains.schedule import Schedule as Schedule
from .measure.own import OwnObservable as OwnObservable
from .model.disorder import Disorder as Disorder
from .model.disorder import make_disorder as make_disorder
from .model.link_weights import (
    ACTIONS as ACTIONS,
)
from .model.link_weights import (
    LinkWeights as LinkWeights,
)
from .model.link_weights import (
    space_links as space_links,
)
from .model.link_weights import (
    time_links as time_links,
)
from .model.model import Model as Model
from .model.parameters import PARAMETERS as PARAMETERS
from .model.parameters import ParameterSpace as ParameterSpace
from .observables import OBSERVABLES as OBSERVABLES
from .statistics.allocation import (
    allocate_effort as allocate_effort,
)
from .statistics.allocation import (
    covariance_components as covariance_components,
)
from .statistics.allocation import (
    missing_bins as missing_bins,
)
from .statistics.allocation import (
    missing_samples as missing_samples,
)
from .statistics.allocation import (
    variance_components as variance_components,
)
from .statistics.control_variates import (
    control as control,
)
from .statistics.control_variates import (
    mask_functions as mask_functions,
)
from .statistics.estimators import (
    DEFAULT_ESTIMATOR as DEFAULT_ESTIMATOR,
)
from .statistics.estimators import (
    ESTIMATORS as ESTIMATORS,
)
from .statistics.estimators import (
    Average as Average,
)
from .statistics.improved import improved_averages as improved_averages
from .statistics.jackknife import (
    autocorrelation_time as autocorrelation_time,
)
from .statistics.jackknife import (
    average as average,
)
from .statistics.jackknife import (
    binned_error as binned_error,
)
from .statistics.jackknife import (
    covariance as covariance,
)
from .statistics.jackknife import (
    jackknife as jackknife,
)
from .statistics.jackknife import (
    squared_mean as squared_mean,
)
from .statistics.point_averages import (
    PointAccumulator as PointAccumulator,
)
from .statistics.point_averages import (
    PointAverages as PointAverages,
)
from .statistics.point_averages import (
    QualityCheck as QualityCheck,
)
from .statistics.point_averages import (
    average_point as average_point,
)
from .statistics.point_averages import (
    sample_means as sample_means,
)
from .statistics.series import (
    SeriesError as SeriesError,
)
from .statistics.series import (
    agree as agree,
)
from .statistics.series import (
    blocking as blocking,
)
from .statistics.series import (
    gamma_method as gamma_method,
)
from .statistics.thermalisation import (
    burn_in_bins as burn_in_bins,
)
from .statistics.thermalisation import (
    hot_cold_z as hot_cold_z,
)
from .statistics.thermalisation import (
    outliers as outliers,
)
from .statistics.thermalisation import (
    stuck_samples as stuck_samples,
)
from .statistics.thermalisation import (
    thermalisation_z as thermalisation_z,
)
from .statistics.transverse_fit import (
    TransverseFit as TransverseFit,
)
from .statistics.transverse_fit import (
    fit_transverse as fit_transverse,
)
from .worm.packing import currents as currents
from .worm.packing import empty_lattice as empty_lattice

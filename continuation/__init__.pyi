from .checks.closure_test import ClosureTest as ClosureTest
from .checks.closure_test import mock_data as mock_data
from .checks.closure_test import run_closure_test as run_closure_test
from .checks.consensus import Consensus as Consensus
from .checks.consensus import consensus as consensus
from .conductivity import continue_conductivity as continue_conductivity
from .data.constraints import (
    Constraint as Constraint,
)
from .data.constraints import (
    known_f_sum as known_f_sum,
)
from .data.constraints import (
    known_moment as known_moment,
)
from .data.constraints import (
    known_stiffness as known_stiffness,
)
from .data.correlator import CorrelatorData as CorrelatorData
from .data.default_models import DefaultModel as DefaultModel
from .data.whitening import WhiteningReport as WhiteningReport
from .kernels.grids import FrequencyGrid as FrequencyGrid
from .kernels.grids import sinh_grid as sinh_grid
from .kernels.kernels import (
    current_kernel as current_kernel,
)
from .kernels.kernels import (
    matsubara as matsubara,
)
from .kernels.kernels import (
    response_kernel as response_kernel,
)
from .kernels.kernels import (
    tau_kernel as tau_kernel,
)
from .methods.maxent.alpha import AlphaScan as AlphaScan
from .model_free.bounds import WeightBounds as WeightBounds
from .model_free.bounds import weight_bounds as weight_bounds
from .model_free.decay import ExcitationGap as ExcitationGap
from .model_free.decay import lowest_excitation as lowest_excitation
from .model_free.matsubara import (
    midpoint_conductivity as midpoint_conductivity,
)
from .model_free.matsubara import (
    sigma_matsubara as sigma_matsubara,
)
from .options import Options as Options
from .solve import continue_correlator as continue_correlator
from .solve import cutoff_dependence as cutoff_dependence
from .spectrum.features import (
    Interval as Interval,
)
from .spectrum.features import (
    Value as Value,
)
from .spectrum.features import (
    lowest_peak as lowest_peak,
)
from .spectrum.features import (
    onset as onset,
)
from .spectrum.features import (
    optical_gap as optical_gap,
)
from .spectrum.scales import HiggsScales as HiggsScales
from .spectrum.scales import higgs_scales as higgs_scales
from .spectrum.spectrum import PeakValue as PeakValue
from .spectrum.spectrum import Spectrum as Spectrum
from .spectrum.spectrum import SumRule as SumRule

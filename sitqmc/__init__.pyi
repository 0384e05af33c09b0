from . import analytic as analytic
from . import continuation as continuation
from . import qmc as qmc
from . import runs as runs
from ._version import __version__ as __version__
from .estimate import Estimate as Estimate
from .runs.results.run import load as load

from .formats.correlators import read_correlator as read_correlator
from .formats.correlators import read_correlator_h5 as read_correlator_h5
from .formats.correlators import read_samples as read_samples
from .formats.films import (
    bundled_films as bundled_films,
)
from .formats.films import (
    write_films as write_films,
)
from .formats.films import (
    write_scan as write_scan,
)
from .formats.films import (
    write_tunnelling as write_tunnelling,
)
from .formats.measured.read import describe_file as describe_file
from .formats.measured.read import read_conductivity as read_conductivity
from .formats.measured.read import read_scan as read_scan
from .formats.measured.read import read_tunnelling as read_tunnelling
from .results.run import load as load

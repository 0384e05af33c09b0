"""Version of the package, read from the metadata of the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sitqmc")
except PackageNotFoundError:                     # a source tree that is not installed
    __version__ = "unknown (not installed)"

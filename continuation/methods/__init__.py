"""All methods of continuation by name. A new one is its own file and one entry here."""

from sitqmc.continuation.methods.gaussian_process.method import PROCESS
from sitqmc.continuation.methods.maxent.method import MAXENT
from sitqmc.continuation.methods.method import Method
from sitqmc.continuation.methods.rational import RATIONAL
from sitqmc.continuation.methods.sparse import SPARSE
from sitqmc.continuation.methods.stochastic.method import SAMPLING

__all__ = ["CROSS_CHECK", "DEFAULT_METHOD", "METHODS", "methods_for"]

METHODS = {m.name: m for m in (PROCESS, MAXENT, SAMPLING, SPARSE, RATIONAL)}
DEFAULT_METHOD = max(METHODS.values(), key=lambda method: method.vote).name
CROSS_CHECK = next(method.name for method in METHODS.values() if method.cross_check)


def methods_for(kind: str) -> dict[str, Method]:
    """Return the methods that can continue a kind of data, by name."""
    return {name: method for name, method in METHODS.items() if kind in method.kinds}

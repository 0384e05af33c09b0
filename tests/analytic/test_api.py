"""The public face of the room: complete, not shadowed, cheap to import, independent of the other rooms."""

import pkgutil
import subprocess
import sys

import pytest

from sitqmc import analytic


def test_every_public_name_exists_and_is_documented():
    for name in analytic.__all__:
        thing = getattr(analytic, name)
        if callable(thing):
            assert thing.__doc__, f"{name} has no docstring"


def test_no_public_name_hides_a_module():
    modules = {module.name for module in pkgutil.iter_modules(analytic.__path__)}
    assert modules.isdisjoint(analytic.__all__)


def test_unknown_name():
    with pytest.raises(AttributeError, match="gapp_mev"):
        _ = analytic.gapp_mev


def test_importing_is_cheap_and_pulls_in_no_other_room():
    code = (
        "import sys; from sitqmc import analytic; import sitqmc.analytic.units;"
        "print('numba' in sys.modules, 'lmfit' in sys.modules);"
        "[getattr(analytic, n) for n in analytic.__all__]; others = {'qmc', 'continuation', 'runs'};"
        "print(sorted(({f'sitqmc.{n}' for n in others} | {'h5py', 'mpi4py'}) & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["False False", "[]"]

"""The folder of compiled kernels: its name, and where it lies."""

import os
import time

import pytest

from sitqmc import jit

NOWHERE = "/proc/nope"


def folder_of_kernels():
    """Look for the folder anew."""
    jit.lasting_folder.cache_clear()
    jit.cache_folder.cache_clear()
    return jit.cache_folder()


@pytest.fixture(autouse=True)
def _found_anew():
    yield
    jit.lasting_folder.cache_clear()
    jit.cache_folder.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a kernel, a helper of it, a helper of the helper, and a file without kernels."""
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    room = tmp_path / "qmc" / "worm"
    room.mkdir(parents=True)
    text = "from sitqmc.jit import kernel\nfrom sitqmc.qmc.worm import helper as h\n"
    (room / "kernel.py").write_text(text)
    (room / "helper.py").write_text("from sitqmc.qmc.worm.constants import (\n    ONE,\n)\n")
    (room / "constants.py").write_text("ONE = 1\n")
    (room / "other.py").write_text("import numpy\n")
    return room


def test_the_hash_follows_what_kernels_inline(package):
    """A change of a helper or a constant in another file changes it, a change of any other file does not."""
    hashes = []
    for name in ("other", "constants", "helper", "kernel"):
        before = jit.source_hash.__wrapped__()
        path = package / f"{name}.py"
        path.write_text(path.read_text() + "\n# changed\n")
        hashes.append(jit.source_hash.__wrapped__() != before)
    assert hashes == [False, True, True, True]


def test_the_hash_of_this_package_sees_all_kernels():
    files = {path.name for path in jit._imported((jit.PACKAGE / "qmc/measure/kernels.py").read_text())}
    assert {"jit.py", "estimators.py", "packed_sums.py", "observables.py"} <= files
    files = {path.name for path in jit._imported((jit.PACKAGE / "qmc/worm/tabulated.py").read_text())}
    assert {"registers.py", "scattering.py", "packing.py"} <= files


def test_a_set_folder_comes_first(tmp_path, monkeypatch):
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path))
    folder = folder_of_kernels()
    assert folder == tmp_path / f"kernels-{jit.source_hash()}"
    assert jit.kernel(lambda x: x + 1)(2) == 3


def test_kernels_of_old_sources_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(jit.config, "CACHE_DIR", str(tmp_path))
    for name in ("kernels-old", "kernels-young", "mine"):
        (tmp_path / name / "part").mkdir(parents=True)
        (tmp_path / name / "part" / "file").write_text("")
    month = time.time() - 40 * 86400
    for name in ("kernels-old", "mine"):
        os.utime(tmp_path / name, (month, month))
    folder = folder_of_kernels()
    assert {path.name for path in tmp_path.iterdir()} == {folder.name, "kernels-young", "mine"}


def test_temporary_files_where_nothing_else_is_writable(tmp_path, monkeypatch, capsys):
    """One line, and only when the folder is made."""
    monkeypatch.setattr(jit, "_lasting_folders", lambda: iter([jit.Path(NOWHERE)]))
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(jit.OUTPUT, raising=False)
    folder = folder_of_kernels()
    assert folder.is_relative_to(tmp_path)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"kept in {folder}; set NUMBA_CACHE_DIR" in said
    assert folder_of_kernels() == folder
    assert capsys.readouterr().err == ""


def test_the_output_of_a_run_where_nothing_else_is_writable(tmp_path, monkeypatch, capsys):
    """Kernels are decorated before the output is known; a second process finds them, and says nothing."""
    monkeypatch.setattr(jit, "_lasting_folders", lambda: iter([jit.Path(NOWHERE)]))
    jit.lasting_folder.cache_clear()
    jit.cache_folder.cache_clear()
    compiled = jit.kernel(lambda x: x + 2)
    monkeypatch.setenv(jit.OUTPUT, "")           # put back after the test
    jit.offer_output(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert compiled(1) == 3
    folder = tmp_path / "out" / ".kernels" / f"kernels-{jit.source_hash()}"
    assert list(folder.rglob("*.nbi"))
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"kept in {folder}; set NUMBA_CACHE_DIR" in said
    assert folder_of_kernels() == folder
    assert capsys.readouterr().err == ""


def test_kernels_without_any_folder(monkeypatch, capsys):
    monkeypatch.setattr(jit, "_lasting_folders", lambda: iter([]))
    monkeypatch.setattr(jit.tempfile, "gettempdir", lambda: NOWHERE)
    monkeypatch.delenv(jit.OUTPUT, raising=False)
    jit.lasting_folder.cache_clear()
    jit.cache_folder.cache_clear()
    assert jit.kernel(lambda x: 2 * x)(3) == 6
    assert "compiled anew in every process; set NUMBA_CACHE_DIR" in capsys.readouterr().err


@pytest.mark.parametrize("mark", [jit.kernel_helper, jit.inlined])
def test_helpers_work_in_kernels_only(mark):
    """A helper has no entry from Python: a call would jump to address zero. It says so instead."""

    def double(x):
        return 2 * x

    helper = mark(double)
    compiled = jit.kernel(lambda x: helper(x) + 1)
    for _ in range(2):
        with pytest.raises(TypeError, match=r"double: only kernels call it; call double\.py_func, or mark"):
            helper(3)
        assert compiled(3) == 7
    assert helper.py_func(3) == 6

"""Settings of the whole suite: one cache of compiled kernels, one thread per process, CPU time per test.

Environment variables are set here, before any test module imports numba or numpy; the workers of
pytest-xdist and the processes that tests start inherit them.
"""

import os
import resource
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CPU_BUDGET = 5.0
"""CPU seconds of one test, with compiled kernels, above which the summary warns."""

LONGEST_FILES = (
    "qmc/test_exact.py", "documents/test_notebooks.py", "runs/test_faults.py", "runs/test_chain.py",
    "runs/test_reproduce.py", "reference/test_transfer_matrix.py", "analytic/test_mount_fit.py",
    "runs/test_store.py", "runs/test_report.py", "qmc/test_finite_size.py", "runs/test_results.py",
    "qmc/test_improved.py", "continuation/test_spectra.py", "continuation/test_sampling.py",
    "documents/test_docs.py", "qmc/test_published.py",
)  # fmt: skip
"""Files that take 15 s and more, the longest first: they start first, so that all workers end together."""


os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".pytest_cache" / "numba"))
os.environ.setdefault("MPLBACKEND", "agg")
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")     # two workers already fill two cores
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))


def pytest_xdist_setupnodes(config):
    """Compile the kernels before the workers start: for the whole suite, if nothing is compiled yet."""
    whole = config.args == [str(ROOT / "tests")] or config.args == config.getini("testpaths")
    if not whole or config.option.keyword:
        return
    from sitqmc.jit import cache_folder  # named by a hash of the kernels' sources

    folder = cache_folder()
    if folder is None or next(folder.rglob("*.nbi"), None):
        return
    script = ROOT / "tests" / "package" / "compile_kernels.py"
    halves = (
        ("worms_of_32_bits", "maxent_and_sampling", "electrodynamics", "masks"),
        ("process", "worms_of_64_bits"),
    )
    for half in [subprocess.Popen([sys.executable, script, *parts]) for parts in halves]:
        half.wait()                              # a failure here costs time only: the tests tell what broke


def pytest_collection_modifyitems(items):
    """Put the longest files first. A worker runs whole files, so that fixtures of a module are made once."""
    place = {ROOT / "tests" / name: k for k, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


# --- CPU time per test -----------------------------------------------------------------------------------


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def pytest_addoption(parser):
    parser.addoption("--cpu", action="store_true", help="show the CPU time of every file and of slow tests")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Add the CPU time since the last report of this process: set-up, call and tear-down of one test."""
    report = yield
    now = cpu_seconds()
    report.cpu = now - item.config.stash.get(LAST_CPU, now)
    item.config.stash[LAST_CPU] = now
    report.physics = item.get_closest_marker("physics") is not None
    return report


LAST_CPU = pytest.StashKey[float]()


def pytest_collection_finish(session):
    session.config.stash[LAST_CPU] = cpu_seconds()


def pytest_terminal_summary(terminalreporter, config):
    """Warn of tests above the budget; with --cpu show the CPU time of every file."""
    tests, files, slow = defaultdict(float), defaultdict(float), set()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "cpu"):
                tests[report.nodeid] += report.cpu
                files[report.nodeid.partition("::")[0]] += report.cpu
                if report.physics:
                    slow.add(report.nodeid)
    above = {name: s for name, s in tests.items() if s > CPU_BUDGET and name not in slow}
    for name, seconds in sorted(above.items(), key=lambda pair: -pair[1]):
        terminalreporter.write_line(f"warning: {seconds:.1f} s of CPU, {CPU_BUDGET:g} s intended: {name}")
    if config.getoption("cpu"):
        terminalreporter.section("CPU seconds")
        for name, seconds in sorted(files.items(), key=lambda pair: -pair[1]):
            terminalreporter.write_line(f"{seconds:8.1f}  {name}")
        for name, seconds in sorted(tests.items(), key=lambda pair: -pair[1])[:40]:
            terminalreporter.write_line(f"{seconds:8.2f}  {name}")
        terminalreporter.write_line(f"{sum(files.values()):8.1f}  total")

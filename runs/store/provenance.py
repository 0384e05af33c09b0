"""Provenance of a result: versions, commit, machine, time."""

import getpass
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import sitqmc

PACKAGES = ("numpy", "numba", "scipy", "h5py", "mpi4py")


def package_version() -> str:
    """Return the version of the installed distribution."""
    try:
        return version("sitqmc")
    except PackageNotFoundError:
        return "unknown (not installed)"


def git_state() -> str:
    """Return the commit of the source tree, '+changes' if it is not clean; 'none' outside a checkout."""
    root = Path(sitqmc.__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return "none"
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return commit + ("+changes" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def provenance() -> dict[str, str]:
    """Return the provenance of a call: versions, commit, host, platform, user, start."""
    found = {"sitqmc": package_version(), "git": git_state(), "python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return found | {
        "host": platform.node(),
        "platform": platform.platform(),
        "user": user,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }

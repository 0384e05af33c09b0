"""Configurations, scheduling, storage and the command line."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.results import Run

__all__ = ["load"]


def load(path: str | Path) -> "Run":
    """A run for a notebook, from its folder or its run.h5; see `runs.results.Run`."""
    from runs.results import load as load_run  # imports numba, which the look-only commands do without

    return load_run(path)

"""Averages as CSV."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.tables import PARAMETER_COLUMNS, as_csv, parameter_cells
from sitqmc.runs.store.atomic import replace_text


def write_csv(results: RunResults, path: Path) -> None:
    """Write one row for each point, observable and index of a correlator, with all parameters."""
    replace_text(path, as_csv(average_rows(results)))


def average_rows(results: RunResults) -> Iterator[Sequence[Any]]:
    """Yield head and rows of the CSV file."""
    yield (*PARAMETER_COLUMNS, "samples", "observable", "index", "mean", "error", "tau_int")
    for number, r in zip(results.numbers, results.results, strict=True):
        a, cells = r.averages, parameter_cells(number, r.model)
        for name, e in a.values.items():
            check = a.checks.get(name)
            tau = f"{check.tau_int:.6g}" if check else ""
            means, errors = np.ravel(e.value), np.ravel(e.error)
            for index, (mean, error) in enumerate(zip(means, errors, strict=True)):
                numbers = (f"{mean:.12g}", f"{error:.6g}", tau)
                yield (*cells, a.n_samples, name, index if np.ndim(e.value) else "", *numbers)

"""Every public result shows itself in a few lines, however many numbers it holds."""

import importlib
import inspect
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

from package.sources import ROOMS
from sitqmc.result import MOST_LINES, Result, SavedResult

CLASSES = [
    value
    for room in ROOMS
    for name in importlib.import_module(f"sitqmc.{room}").__all__
    if inspect.isclass(value := getattr(importlib.import_module(f"sitqmc.{room}"), name))
]
NUMBERS = np.random.default_rng(1).normal(size=(300, 400))


def filled(kind):
    """An instance with a large array, or many of them, wherever its fields allow; no check is run."""
    made = object.__new__(kind)
    for f in fields(kind):
        text = str(f.type)
        value = NUMBERS if ("rray" in text or "Any" in text) and "Callable" not in text else 1.0
        if "dict" in text or "Mapping" in text:
            value = {f"name_{i}": NUMBERS for i in range(200)}
        elif "tuple" in text or "list" in text:
            value = (NUMBERS,) * 100
        elif text in ("str", "<class 'str'>"):
            value = "text " * 1000
        object.__setattr__(made, f.name, value)
    return made


@pytest.mark.parametrize("kind", [k for k in CLASSES if is_dataclass(k)], ids=lambda k: k.__name__)
def test_a_public_dataclass_is_short_at_the_end_of_a_cell(kind):
    made = filled(kind)
    many = any(isinstance(getattr(made, f.name), (np.ndarray, dict)) for f in fields(kind))
    if not issubclass(kind, Result):
        assert not many or "_repr_html_" in vars(kind), f"{kind.__name__}: holds arrays; make it a Result"
        return
    if kind.summary is not Result.summary:
        object.__setattr__(made, "__class__", type(kind.__name__, (kind,), {"summary": Result.summary}))
    text, page = repr(made), made._repr_html_()
    assert len(text.splitlines()) <= MOST_LINES
    assert len(text) < 4000
    assert len(page) < 8000
    assert kind.__name__ in text


def test_results_of_an_analysis_have_figures_and_files():
    from sitqmc import analytic, continuation

    for kind in (continuation.Spectrum, continuation.ScanSpectra, continuation.Consensus,
                 analytic.FilmAnalysis, analytic.Comparison):  # fmt: skip
        assert issubclass(kind, SavedResult)

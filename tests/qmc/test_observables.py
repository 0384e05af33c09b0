"""The registry of observables: every row is measured, averaged, and free of compiled code."""

import subprocess
import sys

import numpy as np
import pytest

from sitqmc.qmc import Chains, Model, Schedule, average_point
from sitqmc.qmc.observables import (
    AT,
    AVERAGES,
    AXES,
    MAPS,
    NOT_AVERAGED,
    OBSERVABLES,
    ROWS,
    SERIES,
    array_slices,
    row_of,
)

SHORT = Schedule(therm_sweeps=5, bins=4, measurements_per_bin=2)


@pytest.fixture(scope="module", params=[{}, {"spread_J": 0.3, "n_g": 0.2}], ids=["tables", "link by link"])
def finished(request):
    """A model with unequal sides, and its finished chains; each place of the series begins as NaN."""
    model = Model(Lx=4, Ly=6, L_tau=10, eps=0.4, charging=2.0, action="rotor", p=0.1, **request.param)
    disorder = [model.draw_disorder(1, s) for s in range(3)]
    chains = Chains(model, disorder, seed=1, samples=range(3), schedule=SHORT, n_max=3)
    chains._replicas.batch.series[...] = np.nan
    while not chains.finished:
        chains.step()
    return model, chains


def test_registry_and_model_load_without_compiled_code():
    code = (
        "import sys; import sitqmc.qmc.observables, sitqmc.qmc.model.model; from sitqmc.qmc import Model;"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_rows_are_complete():
    bins_and_averages = [row.name for row in ROWS if row.name in AVERAGES and row is AVERAGES[row.name]]
    assert len(set(bins_and_averages)) == len(bins_and_averages) == len(AVERAGES)
    for row in ROWS:
        assert row.unit
        assert row.text
        assert set(row.axes) <= set(AXES)
        assert (row.kind in ("sample", "derived")) == bool(row.of)
        assert set(row.of) <= set(AVERAGES if row.kind == "derived" else OBSERVABLES)
        if row.subtract:
            assert row.subtract.name in OBSERVABLES
            assert not OBSERVABLES[row.subtract.name].axes
    assert row_of("unheard_of").unit == "1"


def test_every_row_is_measured_in_the_shape_of_its_axes(finished):
    model, chains = finished
    for result in chains.results():
        assert list(result.bins) == list(OBSERVABLES)
        assert list(result.maps) == list(MAPS)
        assert list(result.tau_int) == list(SERIES)
        for name, bins in result.bins.items():
            assert bins.shape == (SHORT.bins, *OBSERVABLES[name].shape(model, 3)), name
            assert np.all(np.isfinite(bins)), name
        for name, values in result.maps.items():
            assert values.shape == MAPS[name].shape(model, 3)


def test_the_kernel_fills_every_place_of_the_series(finished):
    """Bins of a scalar are means of its series, and those of an array at n = 1 of its tracked series."""
    _, chains = finished
    series = chains.state()["series"].mean(axis=2)
    assert np.all(np.isfinite(series))
    for c, result in enumerate(chains.results()):
        for name, bins in result.bins.items():
            row = OBSERVABLES[name]
            if row.tracked:
                expected = bins[:, 1] if row.axes else bins
                np.testing.assert_allclose(series[c, :, getattr(AT, row.series)], expected, rtol=1e-12)


def test_arrays_lie_side_by_side():
    model = Model(Lx=4, Ly=6, L_tau=10, eps=0.4, charging=2.0)
    places = np.concatenate([np.arange(s.start, s.stop) for s in array_slices(model, 3).values()])
    np.testing.assert_array_equal(places, np.arange(places.size))


def test_every_average_has_its_row(finished):
    model, chains = finished
    results = chains.results()
    bins = {name: np.stack([r.bins[name] for r in results]) for name in OBSERVABLES}
    tau = {name: np.array([r.tau_int[name] for r in results]) for name in SERIES}
    found = average_point(model, bins, tau, 2).values
    missing = {name for name in AVERAGES if name not in NOT_AVERAGED} - set(found)
    assert missing == ({"winding_ratio_tau"} if model.n_g else set())
    assert set(found) <= set(AVERAGES)


def test_a_row_of_the_bins_of_an_old_store_may_be_missing(finished):
    """Averages whose bins are absent are left out, and bins without a row keep their name."""
    model, chains = finished
    results = chains.results()
    bins = {name: np.stack([r.bins[name] for r in results]) for name in OBSERVABLES}
    del bins["chi_c_raw"], bins["S_x"]
    bins["gone"] = bins["energy"]
    found = average_point(model, bins, {}, 2).values
    assert not {"chi_c", "xi_x", "S_x"} & set(found)
    assert found["gone"].value == found["energy"].value

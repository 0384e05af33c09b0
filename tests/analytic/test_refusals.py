"""Wrong arguments of the analysis of films are refused in one line that names the value and what to do."""

import numpy as np
import pytest

from sitqmc.analytic import TheoryCurve
from sitqmc.analytic.film.derived import line_through_origin
from sitqmc.analytic.measurements.scans import DataError, mean_scan, thz_scan
from sitqmc.analytic.measurements.time_domain import Trace, scan_of_traces
from sitqmc.analytic.numerics.goodness_of_fit import assess_fit
from sitqmc.analytic.optics.film_on_substrate import FilmOnSubstrate, Substrate
from sitqmc.analytic.optics.instrument import Instrument
from sitqmc.analytic.optics.inversion import invert
from sitqmc.analytic.optics.multilayer import stack
from sitqmc.analytic.superconductor.higgs_mass import fit_mass_scaling

FILM = FilmOnSubstrate(film_nm=25.0, substrate=Substrate(thickness_um=700.0, index=3.1))
TIME = np.arange(64) * 0.1
PULSE = np.exp(-((TIME - 2) ** 2))
ROW = np.linspace(0.2, 1.0, 8)


def trace(time=TIME, signal=PULSE):
    return Trace(time_ps=time, signal=signal)


@pytest.mark.parametrize(("call", "words"), [
    (lambda: TheoryCurve(omega=ROW, sigma=ROW, error=ROW, draws=np.ones((3, 5))), "8 columns are needed"),
    (lambda: line_through_origin(ROW, ROW, ROW, 0 * ROW), "need at least 2 films"),
    (lambda: mean_scan([None]), "pass at least two"),
    (lambda: thz_scan(ROW, ROW, ROW, 2.0, t_error=ROW, theta_error=ROW), "only 0 of 8 points exceed"),
    (lambda: trace(TIME[:8], PULSE[:8]), "at least 16 are needed"),
    (lambda: trace(signal=PULSE * np.nan), "remove or interpolate missing points"),
    (lambda: trace(TIME**2), "times must increase evenly"),
    (lambda: scan_of_traces(trace(), trace(2 * TIME), 4.0), "record both with one step"),
    (lambda: scan_of_traces(trace(), trace(), 4.0, band_thz=(20.0, 30.0)), "average longer"),
    (lambda: assess_fit([np.ones(3)], np.ones(1), 4), "4 data for 4 free parameters"),
    (lambda: Instrument(standing_period_thz=0.0), "standing_period_thz = 0.0: must be positive"),
    (lambda: invert(ROW, 0 * ROW, FILM), "remove the point"),
    (lambda: stack(ROW, [1.0 + 0.1j, 3.0, 1.0], [700.0]), "give it a real index"),
    (lambda: fit_mass_scaling([9.5, 8.0], [1.0], [0.1, 0.1], "critical"), "need one entry per film"),
])  # fmt: skip
def test_wrong_arguments(call, words):
    with pytest.raises((ValueError, DataError), match=words) as refused:
        call()
    assert "\n" not in str(refused.value)

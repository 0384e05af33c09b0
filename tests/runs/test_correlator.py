"""`Run.correlator`: averages of a stored run by every estimator, and what it says of wrong questions."""

import numpy as np
import pytest

import sitqmc
from helpers import write_config
from sitqmc.runs.cli.main import main
from sitqmc.runs.errors import UserError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("correlator")
    path = write_config(folder, samples=30, more="")
    path.write_text(path.read_text().replace("L = 2\nL_tau = 4", "L = 4\nL_tau = 8"))
    assert main(["run", str(path), "-n", "1", "--no-analysis", "--output", str(folder / "out")]) == 0
    return sitqmc.load(folder / "out")


def test_mean_and_covariance_of_every_estimator(run):
    mean, covariance = run.correlator("rho", p=0.2, L=4, estimator="plain")
    plain = next(a for a in run.averages if a.model.p == 0.2).values["rho"]
    np.testing.assert_allclose(mean, plain.value)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), plain.error)
    for estimator in ("improved", "transverse", "masks"):
        one = run.correlator("rho", p=0.2, estimator=estimator)
        shown = plain.value[one.n]
        assert np.all(np.abs(one.mean - shown) < 6 * np.hypot(one.error, plain.error[one.n]))
        assert one.covariance.shape == (len(one.n),) * 2
    assert run.correlator("kappa", p=0.2).covariance.shape == ()
    clean = run.correlator("rho_s", p=0.0)
    assert clean.error <= clean.plain_error * (1 + 1e-12)


def test_wrong_questions_are_answered_in_one_line(run):
    for options, text in (
        ({"name": "rho"}, "no parameter given: 2 points of this run; name one of"),
        ({"name": "rho", "p": 0.3}, r"p = 0.3: 0 points of this run; name one of .*0.2"),
        ({"name": "rho", "q": 0.3}, "q: no parameter of a point; known: L, "),
        ({"name": "sigma", "p": 0.2}, "observable 'sigma': not in this run; known: "),
        ({"name": "rho", "p": 0.2, "estimator": "best"}, "estimator = 'best': choose one of improved"),
    ):
        with pytest.raises(UserError, match=text) as caught:
            run.correlator(**options)
        assert "\n" not in str(caught.value)


def test_a_run_without_wave_vectors(tmp_path):
    path = write_config(tmp_path, samples=12)
    path.write_text(path.read_text().replace("[schedule]", "[schedule]\ntransverse = false"))
    assert main(["run", str(path), "-n", "1", "--no-analysis", "--output", str(tmp_path / "out")]) == 0
    run = sitqmc.load(tmp_path / "out")
    assert run.correlator("rho", p=0.2).fit is None
    with pytest.raises(UserError, match="K_T was not measured in all samples; choose 'masks' or 'plain'"):
        run.correlator("rho", p=0.2, estimator="transverse")


def test_transverse_must_be_a_truth_value(tmp_path, capsys):
    path = write_config(tmp_path)
    path.write_text(path.read_text().replace("[schedule]", "[schedule]\ntransverse = 0"))
    assert main(["plan", str(path)]) == 2
    said = capsys.readouterr().err.strip()
    assert "transverse = 0" in said
    assert "\n" not in said

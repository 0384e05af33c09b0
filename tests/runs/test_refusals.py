"""Wrong requests to the command line and to stored results: one line that names the value and what to do."""

from pathlib import Path

import pytest

from helpers import write_config
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.scan import MAX_POINTS
from sitqmc.runs.errors import UserError
from sitqmc.runs.results.figures.objects import plot
from sitqmc.runs.results.figures.style import new_figure, save_figure
from sitqmc.runs.store.records import save_result


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return write_config(tmp_path_factory.mktemp("refusals"))


@pytest.mark.parametrize(("arguments", "words"), [
    (["run", "CONFIG", "-n", "two"], "must be an integer"),
    (["run", "CONFIG", "-n", "0"], "must be at least 1"),
    (["plan", "CONFIG", "--trial", "soon"], "must be a number of seconds"),
    (["plan", "CONFIG", "--trial", "-1"], "must be positive and finite"),
    (["status", "missing.toml"], "pass the output folder of the run"),
    (["export", "out", "table.xls"], "must end in .csv or .nc"),
    (["init", "run.txt"], "must end in .toml"),
    (["submit", "CONFIG", "OTHER", "--chain", "2", "--time", "1:00"], "takes one; omit it for a job array"),
    (["run", "CONFIG", "--set", "model=3"], "must be"),
    (["run", "CONFIG", "--set", "model.p={start = 0.0, stop = inf, step = 0.1}"], "must be finite"),
    (["run", "CONFIG", "--set", "model.p={start = 0.0, stop = 0.5, count = 3000}", "--set",
      f"model.n_g={[0.0] * (MAX_POINTS // 3000 + 1)}"], "shorten a list"),
])  # fmt: skip
def test_wrong_requests(config, tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    other = write_config(tmp_path, "other.toml")
    other.write_text(other.read_text().replace('"out"', '"elsewhere"'))
    places = {"CONFIG": str(config), "OTHER": str(other)}
    try:
        status = main([places.get(word, word) for word in arguments])
    except SystemExit as refused:                # by argparse
        status = refused.code
    assert status == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda folder: save_figure(new_figure(1, 1), "bmp", "a", folder / "a.bmp"), UserError, "choose one of"),
    (lambda folder: plot(3.0), TypeError, "a float has no figure of its own"),
    (lambda folder: save_result(folder / "none" / "a.h5", 1.0), UserError, "its folder does not exist"),
    (lambda folder: save_result(folder / "a.h5", {"x": object()}), TypeError, "a object cannot be kept"),
])  # fmt: skip
def test_wrong_calls(tmp_path, call, error, words):
    with pytest.raises(error, match=words):
        call(tmp_path)
    assert not list(Path(tmp_path).glob("*"))

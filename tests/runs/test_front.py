"""The names of `sitqmc`; a run from Python, its interrupt and its messages."""

import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import sitqmc
from helpers import datasets, environment, few_figures, write_config
from sitqmc.qmc import Model, Schedule
from sitqmc.runs.config.config import Config, load_config
from sitqmc.runs.errors import UserError
from sitqmc.runs.simulate.driver import run as simulate

NAMES = (
    "Config", "Model", "analyse_film", "compare", "continue_conductivity", "continue_correlator",
    "continue_scan", "draw", "load", "plan", "read_scan", "run",
)  # fmt: skip


@pytest.mark.parametrize("name", [*NAMES, "__version__"])
def test_the_front_names_are_there_by_tab(name):
    assert name in dir(sitqmc)
    assert getattr(sitqmc, name) is not None


def tiny(path, **changes):
    """Return the configuration of `helpers.write_config` as keywords."""
    schedule = {"therm_sweeps": 20.0, "bins": 8, "measurements_per_bin": 4, "sweeps_per_measurement": 2.0}
    keys = {
        "L": 2, "L_tau": 4, "eps": 0.25, "charging": 3.0, "p": [0.0, 0.2], "samples": 12, "seed": 3,
        "schedule": schedule, "continuation": {"method": "maxent", "omega_points": 40, "blocks": 4},
        "path": path,
    }  # fmt: skip
    return keys | changes


def test_a_configuration_typed_in_python_is_that_of_the_file(tmp_path):
    file = load_config(write_config(tmp_path, checkpoint=30.0))
    assert Config.of(**tiny("out")) == file
    assert Config.of(write_config(tmp_path, checkpoint=30.0)) == file == Config.of(file)
    changes = Config.of(file, beta=np.float64(2.0), p=np.array([0.1, 0.3]), samples=np.int64(5), path="b")
    assert [(m.p, m.beta) for m in changes.models] == [(0.1, 2.0), (0.3, 2.0)]
    assert (changes.disorder.samples, changes.disorder.seed, changes.output.path) == (5, 3, "b")


def test_a_run_of_a_model_with_a_scan(tmp_path):
    model = Model(L=2, beta=1.0, eps=0.25, charging=3.0)
    found = Config.of(model, p=[0.0, 0.2], samples=3, path=tmp_path, schedule=Schedule(bins=4))
    assert [m.p for m in found.models] == [0.0, 0.2]
    assert found.models[0] == model
    assert found.schedule.bins == 4
    assert Config.of(model, L=4, samples=3, path="out").models[0].Lx == 4


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"sampels": 3}, "unknown keyword 'sampels'; did you mean 'samples'?"),
        ({"schedule": {"bin": 8}}, "unknown key 'bin'; did you mean 'bins'?"),
        ({"p": 1.5}, "p = 1.5"),
        ({"beta": 1.1}, "L_tau"),
    ],
)
def test_misspelt_keywords_are_named(keys, words):
    with pytest.raises(UserError, match=words.replace("?", r"\?")):
        Config.of(**tiny("out", **keys))


def test_a_run_from_python_is_the_run_of_the_command(tmp_path, monkeypatch, caplog):
    """Bits, files and messages are those of the command; a second call finds the run complete."""
    caplog.set_level(logging.INFO, "sitqmc")
    expected = load_config(write_config(tmp_path))
    monkeypatch.chdir(tmp_path)
    simulate(expected, processes=1, quiet=True)
    with few_figures("sigma"):
        run = sitqmc.run(**tiny("other"), processes=1)
    assert datasets("other/run.h5").items() >= datasets("out/run.h5").items()
    assert {"report.html", "averages.csv", "sigma.png"} <= set(os.listdir("other"))
    assert [m.p for m in run.models] == [0.0, 0.2]
    assert "0 samples on disk, 24 to simulate" in caplog.text
    sitqmc.run("run.toml", path="other", processes=1, report=False)
    assert "24 samples on disk, 0 to simulate" in caplog.text


SCRIPT = """
import sitqmc
print("once")
sitqmc.run({base!r}, processes={processes}, report=False)
"""


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupt_loses_nothing(tmp_path, processes):
    """Ctrl-C in a script without `if __name__ == "__main__"`: finished samples are on the disk."""
    long = {"samples": 40, "bins": 20, "measurements": 20, "apart": 1500, "checkpoint": 0.5}
    write_config(tmp_path, more="interleave = 1", **long)
    (tmp_path / "script.py").write_text(SCRIPT.format(base="run.toml", processes=processes))
    script = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env=environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((tmp_path / "out").glob("parts/*.h5")) and time.monotonic() < deadline:
        assert script.poll() is None, script.stderr.read()
        time.sleep(0.01)
    os.killpg(script.pid, signal.SIGINT)         # a terminal and a notebook send it to the whole group
    said, error = script.communicate(timeout=120)
    assert said == "once\n"
    assert error.splitlines()[-1].startswith("KeyboardInterrupt: all work is saved in out"), error
    assert len(error.splitlines()) < 40          # the traceback of one process
    found = sitqmc.load(tmp_path / "out").folder.inventory()
    assert len(found.finished) + len(found.states) >= processes


def test_an_interrupt_within_a_step_keeps_finished_samples(tmp_path, monkeypatch):
    """A KeyboardInterrupt within a step of the chains, without a signal handler."""
    from sitqmc.qmc import Chains

    steps = []

    def step(chains, real=Chains.step):
        if chains.model.L_tau == 4:              # not that of the first compilation
            steps.append(chains.samples)
        if len(steps) == 4:
            raise KeyboardInterrupt
        real(chains)

    monkeypatch.setattr(Chains, "step", step)
    config = Config.of(**tiny(tmp_path / "out"), output={"checkpoint_seconds": 1000.0})
    with pytest.raises(KeyboardInterrupt):
        simulate(config, processes=1, quiet=True)
    monkeypatch.undo()
    done = {n for samples in steps[:3] for n in samples}
    found = sitqmc.load(tmp_path / "out").folder.inventory()
    assert len(found.finished) == 12 == len(steps[:3]) * 4
    assert {n for _, _, n in found.finished} == done

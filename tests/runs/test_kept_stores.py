"""Run files of earlier versions load with the numbers they were written with, and are continued."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

import sitqmc
from helpers import datasets
from sitqmc.runs.cli.main import main

KEPT = Path(__file__).parents[1] / "reference"
MEANS = {
    1: {"rho_s": 0.3541666666666667, "energy": 0.036950279115665736, "kappa": 0.22395833333333334},
    2: {"rho_s": 0.5716145833333334, "energy": -0.33003201202752913, "kappa": 0.21744791666666666},
}
"""Read from the files when they were written, by layout version; version 1 had other random numbers."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory with the configuration that both kept files were made from."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(KEPT / "run_version_2.toml", "run.toml")
    (tmp_path / "out").mkdir()
    return tmp_path


def place(version):
    shutil.copy(KEPT / f"run_version_{version}.h5", "out/run.h5")


@pytest.mark.parametrize("version", MEANS)
def test_a_kept_run_loads_with_its_numbers(folder, version):
    place(version)
    table = sitqmc.load("out").table("rho_s", "energy", "kappa")
    assert len(table) == 1
    for name, value in MEANS[version].items():
        np.testing.assert_allclose(table[name], value, rtol=1e-12)
    with h5py.File("out/run.h5") as file:
        per_sample = file["points/0000/bins/energy"][:].mean(axis=1)
    np.testing.assert_allclose(table["energy_error"], per_sample.std(ddof=1) / np.sqrt(3), rtol=1e-10)


def test_a_kept_sample_is_made_again_with_the_same_bits(folder, capsys):
    place(2)
    assert main(["rerun", "out", "--point", "0", "--sample", "1"]) == 0
    assert "the same bits" in capsys.readouterr().out


def test_chains_go_on_from_kept_states(folder, capsys):
    """Two more bins from the ends of the kept chains: the bits of a run that was planned so long."""
    place(2)
    text = Path("run.toml").read_text().replace("bins = 4", "bins = 6")
    for output in ("out", "whole"):
        Path("longer.toml").write_text(text.replace('"out"', f'"{output}"'))
        assert main(["run", "longer.toml", "-n", "1", "--no-analysis"]) == 0
    said = capsys.readouterr()
    assert "3 of them from a checkpoint" in said.out
    assert said.err == ""
    # Responses by wave vector were not measured in the first bins: they are marked as unknown.
    later = ("/state/", "maps/K_T", "maps/chi_s_q", "maps/G_k")
    extended, whole = ({name: values for name, values in datasets(f"{output}/run.h5").items()
                        if not any(word in name for word in later)}
                       for output in ("out", "whole"))  # fmt: skip
    with h5py.File("out/run.h5") as file:
        unknown = []
        file.visititems(
            lambda name, item: unknown.append(item[()]) if name.endswith(("maps/K_T", "maps/G_k")) else None
        )
    assert len(unknown) > 1
    assert all((values == -1).all() for values in unknown)
    assert extended == whole

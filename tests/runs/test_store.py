"""The run file: checksums, descriptions, added samples and bins; damage is an error, never a wrong number."""

import json
import tomllib

import h5py
import numpy as np
import pytest

import sitqmc.runs.store.sealed
from helpers import CONFIG, DEFAULTS, datasets, write_config
from sitqmc import runs
from sitqmc.progress import printed_messages
from sitqmc.qmc import OBSERVABLES, Chains, run_chain
from sitqmc.runs.cli.main import main
from sitqmc.runs.config.config import load_config, parse_config
from sitqmc.runs.errors import Stopped, UnreadableFile, UserError
from sitqmc.runs.jobs.plan import _disk
from sitqmc.runs.simulate.driver import run
from sitqmc.runs.store.checkpoint import checkpoint_files
from sitqmc.runs.store.merge import pool
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import stored_type


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def simulate(path, **options):
    with printed_messages():
        run(load_config(path), processes=1, quiet=True, **options)


def read_points(path):
    return list(RunFolder(path).points())


def edited(path, *changes):
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return path


def test_layout(folder):
    simulate(write_config(folder))
    with h5py.File("out/run.h5") as file:
        assert (file.attrs["format"], file.attrs["version"]) == ("sitqmc-run", 3)
        assert "open_datatree" in file.attrs["groups"]
        assert "points/0000/bins" in file.attrs["groups"]
        assert {"config", "sitqmc", "git", "numpy", "host", "started", "wall_seconds"} <= set(file.attrs)
        group = file["points/0001"]
        assert group.attrs["p"] == 0.2
        assert group["sample"][:].tolist() == list(range(12))
        assert set(group["seed"][:]) == {3}
        assert set(group["bins"]) == set(OBSERVABLES)
        assert group["bins/rho_x"].shape == (12, 8, 3)
        arrays = {f"{part}/{name}": a for part in ("bins", "maps") for name, a in group[part].items()}
        single = {name for name, a in arrays.items() if a.dtype == np.float32}
        assert single == {name for name in arrays if name.startswith(("maps/", "bins/G_k0", "bins/G_loc"))}
        config = load_config("run.toml")
        stored = sum(a.nbytes for a in arrays.values()) / 12
        assert _disk(config, config.models[1]) == pytest.approx(stored, rel=0.02)
        for part in ("bins", "tau_int", "cost"):
            for dataset in group[part].values():
                assert dataset.attrs["unit"]
                assert dataset.attrs["description"]
        assert [d[0].name.split("/")[-1] for d in group["bins/rho_x"].dims] == ["sample", "bin", "n"]
        assert [d[0].name.split("/")[-1] for d in group["bins/G_loc"].dims] == ["sample", "bin", "slice"]
        np.testing.assert_allclose(group["omega_n"], 2 * np.pi * np.arange(3) / 1.0)
        np.testing.assert_allclose(group["tau"], 0.25 * np.arange(4))


def test_stored_bins_are_those_of_run_chain(folder):
    path = write_config(folder)
    simulate(path)
    config = load_config(path)
    for model, data in zip(config.models, read_points(folder / "out/run.h5"), strict=True):
        assert data.model == model
        alone = run_chain(model, model.draw_disorder(3, 5), seed=3, sample=5, schedule=config.schedule)
        for name, values in alone.bins.items():
            stored = values.astype(stored_type(f"bins/{name}", values.dtype)).astype(float)
            assert stored.tobytes() == data.bins[name][5].tobytes()
            np.testing.assert_allclose(stored, values, rtol=1e-7)


@pytest.mark.parametrize("interleave", [1, 3, 50])
def test_interleave_changes_no_bit(folder, interleave):
    simulate(write_config(folder))
    expected = datasets("out/run.h5")
    simulate(edited(write_config(folder, more=f"interleave = {interleave}"), ('"out"', '"other"')))
    assert datasets("other/run.h5") == expected


def test_samples_and_points_are_added(folder):
    simulate(write_config(folder))
    path = edited(write_config(folder, samples=15), ("[0.0, 0.2]", "[0.1, 0.0, 0.2]"))
    simulate(path)
    simulate(edited(path, ('"out"', '"whole"')))
    assert datasets("out/run.h5") == datasets("whole/run.h5")


def test_points_that_are_no_longer_asked_for_are_kept(folder, capsys):
    simulate(write_config(folder))
    path = edited(write_config(folder), ("[0.0, 0.2]", "[0.2, 0.3]"))
    with printed_messages():
        run(load_config(path), processes=1)
    assert "1 stored points are not in this configuration" in capsys.readouterr().out
    assert [data.model.p for data in read_points(folder / "out/run.h5")] == [0.2, 0.3, 0.0]


def test_bins_are_added_where_states_are_kept(folder, capsys):
    path = edited(write_config(folder), ('path = "out"', 'path = "out"\nkeep_state = true'))
    simulate(path)
    simulate(edited(path, ("bins = 8", "bins = 13")))
    assert "restarted" not in capsys.readouterr().err
    simulate(edited(path, ('"out"', '"whole"')))
    assert without_states("out/run.h5") == without_states("whole/run.h5")


def without_states(path):
    """States of chains may hold other unused random numbers; the measurements are the same."""
    found = datasets(path)
    assert any("/state/" in name for name in found)
    return {name: values for name, values in found.items() if "/state/" not in name}


def test_bins_are_not_added_without_states(folder, capsys):
    simulate(write_config(folder))
    before = (folder / "out/run.h5").read_bytes()
    for bins, words in ((13, "without their final states"), (4, "bins = 4 would shorten")):
        assert main(["run", str(write_config(folder, bins=bins))]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
    assert (folder / "out/run.h5").read_bytes() == before


def test_chains_of_two_lengths_are_averaged_over_common_bins(folder, monkeypatch):
    path = edited(write_config(folder), ('path = "out"', 'path = "out"\nkeep_state = true'))
    simulate(path)
    short = read_points(folder / "out/run.h5")
    longer = load_config(edited(path, ("bins = 8", "bins = 13")))
    monkeypatch.setattr("sitqmc.runs.simulate.driver.run_local", only_first_task)
    with pytest.raises(Stopped):
        run(longer, processes=1, quiet=True)
    assert main(["merge", "out"]) == 0
    both = read_points(folder / "out/run.h5")
    for a, b in zip(short, both, strict=True):
        assert b.sample.tolist() == a.sample.tolist()
        assert b.bins["energy"].tobytes() == a.bins["energy"].tobytes()
    with h5py.File("out/run.h5") as file:
        lengths = sorted(file[f"points/{name}/bins/energy"].shape for name in file["points"])
    assert lengths == [(4, 13), (8, 8), (12, 8)]


def only_first_task(config, folder, tasks, processes, progress, stop):
    from sitqmc.runs.simulate.worker import run_tasks

    run_tasks(config, folder, tasks[:1], iter([0]), stop=stop)
    return False


def test_targets_are_met_by_more_samples(folder):
    target = "[target]\nkappa = {{ relative = 0.05 }}\nrho_s = 0.1\nmax_samples = {}"
    path = write_config(folder, samples=4, more=target.format(30))
    simulate(path)
    data = read_points(folder / "out/run.h5")
    counts = [len(d.sample) for d in data]
    assert 4 < max(counts) <= 30
    for d in data:
        kappa = d.bins["kappa"].mean(axis=1)
        error = kappa.std(ddof=1) / np.sqrt(len(kappa))
        assert error <= 0.05 * kappa.mean() or len(kappa) == 30
    simulate(edited(path, ('"out"', '"again"'), ("[target]", "interleave = 1\n[target]")))
    assert datasets("again/run.h5") == datasets("out/run.h5")


class Broken(Chains):
    """Sample 3 fails, always or the first time only."""

    always, tries = True, 0

    def step(self):
        if 3 in self.samples and self.model.p == 0.2:
            Broken.tries += 1
            if Broken.always or Broken.tries == 1:
                raise FloatingPointError("a broken sample")
        super().step()


@pytest.mark.parametrize("always", [False, True])
def test_a_sample_that_raises_is_tried_again_then_set_aside(folder, monkeypatch, capsys, always):
    path = write_config(folder)
    simulate(path)
    expected = datasets("out/run.h5")
    monkeypatch.setattr("sitqmc.runs.simulate.worker.Chains", Broken)
    monkeypatch.setattr(Broken, "always", always)
    monkeypatch.setattr(Broken, "tries", 0)
    path = edited(path, ('"out"', '"other"'))
    capsys.readouterr()
    simulate(path)
    said = capsys.readouterr()
    assert "repeating the samples one by one" in said.err
    if not always:
        assert datasets("other/run.h5") == expected
        return
    assert "excluded" in said.err
    warning = runs.load("other").averages[1].warnings[-1]
    assert warning.startswith("not in the averages, because they failed: samples 3 (FloatingPointError")
    clean, missing = read_points(folder / "other/run.h5")
    assert len(clean.sample) == 12
    assert missing.sample.tolist() == [s for s in range(12) if s != 3]
    assert [f["sample"] for f in runs.load("other").failures] == [3]
    assert main(["status", "other"]) == 0
    assert "failed: 1 samples (3)" in capsys.readouterr().out
    monkeypatch.setattr("sitqmc.runs.simulate.worker.Chains", Chains)
    simulate(path)                                           # not tried again unless asked for
    assert 3 not in read_points(folder / "other/run.h5")[1].sample
    simulate(path, retry=True)
    assert datasets("other/run.h5") == expected
    assert runs.load("other").failures == ()


def test_runs_of_two_seeds_are_pooled(folder):
    simulate(write_config(folder))
    simulate(edited(write_config(folder, "b.toml"), ('"out"', '"b"'), ("seed = 3", "seed = 4")))
    assert main(["merge", "both", "out", "b", "out"]) == 0
    stored = [read_points(folder / name / "run.h5") for name in ("out", "b", "both")]
    for one, two, both in zip(*stored, strict=True):
        assert both.keys.tolist() == one.keys.tolist() + two.keys.tolist()
        expected = np.concatenate([one.bins["rho_x"], two.bins["rho_x"]])
        np.testing.assert_array_equal(both.bins["rho_x"], expected)
    assert {entry["started"] for entry in runs.load("both").history}
    assert main(["rerun", "both", "--point", "1", "--sample", "7", "--seed", "4"]) == 0


def test_runs_that_do_not_fit_are_not_pooled(folder, capsys):
    simulate(write_config(folder))
    simulate(edited(write_config(folder, "b.toml", sweeps=30), ('"out"', '"b"')))
    capsys.readouterr()
    assert main(["merge", "both", "out", "b"]) == 2
    assert "schedule.therm_sweeps = 30.0 differs from 20.0 in out/run.h5" in capsys.readouterr().err
    assert not (folder / "both/run.h5").exists()
    with pytest.raises(UnreadableFile):
        pool(folder / "x.h5", [folder / "b.toml"])


def test_another_seed_or_schedule_is_refused(folder, capsys):
    simulate(write_config(folder))
    before = (folder / "out/run.h5").read_bytes()
    for change, words in (
        (("seed = 3", "seed = 4"), "disorder.seed = 3 there and 4 here; sitqmc merge pools runs"),
        (("therm_sweeps = 20", "therm_sweeps = 21"), "schedule.therm_sweeps = 20.0 there and 21.0 here"),
    ):
        assert main(["run", str(edited(write_config(folder), change))]) == 2
        assert words in capsys.readouterr().err
    assert (folder / "out/run.h5").read_bytes() == before


def write_version_1(path, config):
    """Write a file in layout version 1, as its description says, with the bins of run_chain."""
    with h5py.File(path, "w") as file:
        file.attrs["format"], file.attrs["version"] = "sitqmc-run", 1
        table = config.resolved()
        keys = ("action", "eps", "charging", "L", "L_tau", "p")
        table["model"] = {key: table["model"][key] for key in keys} | {"Lx": [], "Ly": []}
        for section, key in (("schedule", "interleave"), ("output", "keep_state")):
            del table[section][key]
        del table["target"]
        file.attrs["config"] = json.dumps(table)
        for i, model in enumerate(config.models):
            group = file.create_group(f"points/{i:04d}")
            for key in ("Lx", "Ly", "L_tau", "eps", "charging", "action", "p"):
                group.attrs[key] = getattr(model, key)
            group.attrs["beta"], group.attrs["disorder_seed"] = model.beta, 3
            chains = [
                run_chain(model, model.draw_disorder(3, s), seed=3, sample=s, schedule=config.schedule)
                for s in range(5)
            ]
            group["sample"] = np.arange(5)
            for name in OBSERVABLES:
                group[f"bins/{name}"] = np.stack([c.bins[name] for c in chains])
            for name in chains[0].tau_int:
                group[f"tau_int/{name}"] = np.array([c.tau_int[name] for c in chains])
            for name in ("moves", "attempts", "worms_per_measurement", "sweeps_per_measurement"):
                group[f"cost/{name}"] = np.array([float(getattr(c, name)) for c in chains])


def test_version_1_is_read_and_continued(folder):
    path = write_config(folder)
    (folder / "out").mkdir()
    write_version_1(folder / "out/run.h5", load_config(path))
    assert [len(d.sample) for d in read_points(folder / "out/run.h5")] == [5, 5]
    assert len(runs.load("out").table()) == 2
    simulate(path)
    simulate(edited(path, ('"out"', '"whole"')))
    with h5py.File("out/run.h5") as file:        # samples without maps form groups of their own
        assert [len(file[f"points/{name}/sample"]) for name in sorted(file["points"])] == [7, 5, 7, 5]
    stores = [read_points(folder / name / "run.h5") for name in ("out", "whole")]
    for mixed, whole in zip(*stores, strict=True):
        assert mixed.keys.tolist() == whole.keys.tolist()
        for name, values in mixed.columns().items():
            assert values.tobytes() == whole.columns()[name].tobytes()


def test_load_gives_tables_with_errors(folder):
    simulate(write_config(folder))
    loaded = runs.load("out")
    table = loaded.table("rho_s", "energy")
    data = read_points(folder / "out/run.h5")
    expected = [d.bins["energy"].mean() for d in data]
    np.testing.assert_allclose(table["energy"], expected, rtol=1e-12)
    sample_means = data[1].bins["energy"].mean(axis=1)
    np.testing.assert_allclose(table["energy_error"][1], sample_means.std(ddof=1) / np.sqrt(12), rtol=1e-10)
    assert len(table.where(p=0.2)) == 1
    assert table._repr_html_().count("<tr>") == 3
    assert "rho_s_error" not in str(table)
    assert set(loaded.history[0]) >= {"sitqmc", "git", "numpy", "host", "workers"}
    with pytest.raises(UserError, match="did you mean 'rho_s'"):
        loaded.table("rho")


def test_export_csv_and_netcdf(folder):
    simulate(edited(write_config(folder), ("L_tau = 4", "L_tau = [4, 6]")))
    assert main(["export", "out", "a.csv"]) == 0
    assert main(["export", "run.toml", "a.nc"]) == 0
    table = np.genfromtxt("a.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    rho = table[(table["observable"] == "rho") & (table["point"] == 3)]
    averages = runs.load("out").averages
    np.testing.assert_allclose(rho["mean"], averages[3].values["rho"].value, rtol=1e-10)
    with h5py.File("a.nc") as file:
        assert [file["rho"].dims[i][0].name for i in range(3)] == ["/L_tau", "/p", "/n"]
        assert file["rho_s"].attrs["units"] == "E_J"
        np.testing.assert_array_equal(file["rho_error"][1, 1], averages[3].values["rho"].error)
        assert np.isnan(file["rho"][0, 0]).sum() == 1        # 3 of 4 frequencies
        np.testing.assert_allclose(file["omega_n"][1, 0, 1], 2 * np.pi / 1.5)
        assert file.attrs["action"] == "cosine"
    for name in ("a.nc", "out/run.h5"):
        opened_by_xarray(name)


def opened_by_xarray(name):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5netcdf")
    group = None if name.endswith(".nc") else "points/0001"
    with xarray.open_dataset(name, engine="h5netcdf", group=group) as data:
        assert ("L_tau" if group is None else "sample") in data.dims


def damaged_variants(whole, rng, count):
    """Return the bytes of a file with a flipped byte, with a block of zeros, or cut short."""
    for i in range(count):
        data = bytearray(whole)
        place = int(rng.integers(len(data)))
        if i % 4 == 3:
            data = data[:place]
        elif i % 4 == 2:
            data[place : place + 64] = bytes(len(data[place : place + 64]))
        else:
            data[place] ^= 1 << int(rng.integers(8))
        yield bytes(data)


def fuzz_store(folder, count, seed):
    """Damage a run file many times; count the errors and the files that are read bit for bit as written."""
    store = folder / "out/run.h5"
    whole, expected = store.read_bytes(), [d.columns() for d in read_points(store)]
    config = RunFolder(store).header.config
    outcome = {True: 0, False: 0}
    for data in damaged_variants(whole, np.random.default_rng(seed), count):
        store.write_bytes(data)
        sitqmc.runs.store.sealed._seals.clear()
        try:
            found, head = read_points(store), RunFolder(store).header
        except UnreadableFile:
            outcome[False] += 1
            continue
        assert head.config == config
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            assert {k: v.tobytes() for k, v in a.columns().items()} == {k: v.tobytes() for k, v in b.items()}
        outcome[True] += 1
    store.write_bytes(whole)
    return outcome[False], outcome[True]


def test_a_damaged_store_is_an_error_and_never_a_wrong_number(folder):
    simulate(write_config(folder, samples=2, bins=4))
    errors, unharmed = fuzz_store(folder, 240, seed=1)
    assert errors > 100
    assert errors + unharmed == 240


def test_damaged_parts_are_set_aside_and_made_again(folder, monkeypatch, capsys):
    """One checkpoint of a stopped run is cut short, one has a flipped byte, one is empty."""
    path = write_config(folder, checkpoint=0)
    config = load_config(path)
    monkeypatch.setattr("sitqmc.runs.simulate.driver.run_local", half_of_the_tasks)
    with pytest.raises(Stopped):
        run(config, processes=1, quiet=True)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    parts = checkpoint_files(folder / "out/parts")
    assert len(parts) >= 3
    parts[0].write_bytes(parts[0].read_bytes()[:3000])
    data = bytearray(parts[1].read_bytes())
    data[len(data) // 2] ^= 16
    parts[1].write_bytes(bytes(data))
    parts[2].write_bytes(b"")
    with printed_messages():
        run(config, processes=1)
    said = capsys.readouterr().out
    assert said.count("its samples will be simulated again") == 3
    simulate(edited(path, ('"out"', '"whole"')))
    assert datasets("out/run.h5") == datasets("whole/run.h5")
    assert RunFolder("out").inventory().damaged == ()


def half_of_the_tasks(config, folder, tasks, processes, progress, stop):
    from sitqmc.runs.simulate.worker import run_tasks

    for number in range(len(tasks) // 2):
        run_tasks(config, folder, tasks, iter([number]), stop=stop)
    return False


def test_resolved_configuration_is_stored(folder):
    path = write_config(folder)
    simulate(path)
    assert RunFolder("out").header.config == load_config(path)
    assert parse_config(tomllib.loads(CONFIG.format(**DEFAULTS))) == load_config(path)

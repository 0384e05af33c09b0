"""The reader of a run: streams its samples, reads what is asked for, and notices what changes under it."""

import contextlib
import errno
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from helpers import write_config
from sitqmc.qmc import Model, PointAccumulator, average_point
from sitqmc.runs.config.config import load_config
from sitqmc.runs.errors import FileChanged, UnreadableFile, UserError
from sitqmc.runs.store import sealed
from sitqmc.runs.store.checkpoint import CheckpointWriter, SampleRecord
from sitqmc.runs.store.merge import merge, new_call
from sitqmc.runs.store.run_file import RunHeader, write_run_file
from sitqmc.runs.store.run_folder import RunFolder
from sitqmc.runs.store.samples import PointSamples

MODEL = Model(Lx=2, Ly=2, L_tau=4, eps=0.25, charging=3.0, p=0.2)
NAMES = ("rho_s_x", "rho_s_y", "energy")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The configuration of a run in out/, which is empty."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    return load_config(write_config(tmp_path))


def random_samples(count, bins=8, first=0, names=NAMES, seed=3):
    """Samples whose numbers follow from seed and sample number."""
    numbers = np.arange(first, first + count)
    values = {name: np.stack([np.random.default_rng([n, i]).normal(size=bins) for n in numbers])
              for i, name in enumerate(names)}  # fmt: skip
    keys = np.stack([np.full(count, seed), numbers], axis=1)
    return PointSamples(MODEL, keys, values, {name: np.ones(count) for name in names})


def write(config, *groups):
    header = RunHeader(config.resolved(), [new_call()], [])
    write_run_file(RunFolder("out").path, header, [(MODEL, group) for group in groups])
    return RunFolder("out")


def test_each_sample_is_taken_once_from_its_longest_chain(config):
    """Two groups that share samples 3 to 5: common bins are read, in the order of the numbers."""
    folder = write(config, random_samples(6), random_samples(4, bins=12, first=3))
    (point,) = folder.points()
    assert point.sample.tolist() == list(range(7))
    assert point.n_bins == 8
    for row, number in enumerate(range(7)):
        bins = 12 if number >= 3 else 8
        expected = random_samples(1, bins, number).bins["energy"][0, :8]
        np.testing.assert_array_equal(point.bins["energy"][row], expected)
    rows = folder.rows(MODEL)
    assert [(part.n_bins, len(part)) for part in rows.split()] == [(12, 4), (8, 3)]


def test_arrays_that_some_samples_lack_are_left_out(config):
    folder = write(config, random_samples(3), random_samples(3, first=3, names=NAMES[:2]))
    (point,) = folder.points()
    assert set(point.bins) == {"rho_s_x", "rho_s_y"}
    assert len(point) == 6


def test_only_what_is_asked_for_is_read_and_hashed(config):
    """Damage in another array goes unnoticed until that array is read."""
    folder = write(config, random_samples(4000))
    (expected,) = folder.points(names=["bins/rho_s_x"])
    assert list(expected.bins) == ["rho_s_x"]
    assert expected.tau_int == {}
    with sealed.reading(folder.path) as file:
        place = file["points/0000/bins/energy"].id.get_offset() + 150_000
    data = bytearray(folder.path.read_bytes())
    data[place] ^= 1
    folder.path.write_bytes(bytes(data))
    (point,) = RunFolder("out").points(names=["bins/rho_s_x"])
    np.testing.assert_array_equal(point.bins["rho_s_x"], expected.bins["rho_s_x"])
    with pytest.raises(UnreadableFile, match="damaged"):
        list(RunFolder("out").points(names=["bins/energy"]))


def test_pieces_add_up_to_the_whole(config):
    folder = write(config, random_samples(50), random_samples(30, bins=9, first=40))
    (whole,) = folder.points()
    rows = folder.rows(MODEL)
    pieces = list(rows.pieces(["bins"], n_bytes=2000))
    assert len(pieces) > 5
    for name, values in whole.bins.items():
        joined = np.concatenate([piece[f"bins/{name}"] for piece in pieces])
        assert joined.tobytes() == values.tobytes()


def test_memory_does_not_grow_with_the_number_of_samples(config, monkeypatch):
    """Averages of four times the samples take the same memory, but for a few numbers per sample."""
    monkeypatch.setattr("sitqmc.runs.store.samples.PIECE_BYTES", 1 << 16)
    peaks, counts = [], []
    for count in (2000, 8000):
        folder = write(config, random_samples(count, bins=64))
        folder.inventory()
        tracemalloc.start()
        whole = PointAccumulator(MODEL, 4)
        for piece in folder.pieces(MODEL, ["bins", "tau_int"]):
            whole.add(piece.bins, piece.tau_int)
            counts.append(len(piece))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        samples = random_samples(count, bins=64)
        expected = average_point(MODEL, samples.bins, samples.tau_int, 4)
        for name, mean in expected.samples.items():
            np.testing.assert_array_equal(whole.result().samples[name], mean)
        assert samples.bins["energy"].nbytes > 1e6
    assert max(counts) < 100
    kept = 8 * 32 * 6000                         # some numbers for each further sample; its bins are 192
    assert peaks[1] < peaks[0] + kept


def test_a_file_that_is_replaced_meanwhile_is_read_anew(config):
    """Rows of a replaced file must not be taken for those of the old one."""
    folder = write(config, random_samples(5))
    folder.inventory()
    write(config, random_samples(4, first=1))
    with pytest.raises(FileChanged):
        list(folder.pieces(MODEL))
    (point,) = folder.points()
    assert point.sample.tolist() == [1, 2, 3, 4]


def test_checkpoints_count_and_are_merged(config):
    """The same samples before and after the merge, in the same order."""
    folder = write(config, random_samples(4))
    for rank, first in enumerate((8, 4)):
        write_part(folder, config, rank, first)
    folder.inventory()
    (before,) = folder.points()
    assert before.sample.tolist() == list(range(12))
    merge(folder, config)
    assert not folder.parts.exists()
    (after,) = folder.points()
    for name, values in before.columns().items():
        assert values.tobytes() == after.columns()[name].tobytes()
    assert RunFolder(folder.path).inventory().finished == folder.inventory().finished


def write_part(folder, config, rank, first):
    """Four finished samples of a worker."""
    writer = CheckpointWriter(folder.parts, config, rank)
    for number in range(first, first + 4):
        some = random_samples(1, first=number)
        record = SampleRecord({k: b[0] for k, b in some.bins.items()}, dict.fromkeys(NAMES, 1.0), {})
        writer.add(MODEL, number, record)
    writer.close()


def remember_listings(monkeypatch):
    """A stand-in of an NFS client: a folder is listed from memory until this client changes it."""
    known = {}

    def listed(path=".", real=os.listdir):
        return known.setdefault(str(path), real(path))

    def scanned(path=".", real=os.scandir):
        names = set(listed(path))
        return contextlib.nullcontext(iter([entry for entry in real(path) if entry.name in names]))

    def opened(path, flags, *rest, real=os.open, **options):
        if flags & os.O_CREAT:
            known.pop(os.path.dirname(path), None)
        return real(path, flags, *rest, **options)

    monkeypatch.setattr("os.listdir", listed)
    monkeypatch.setattr("os.scandir", scanned)
    monkeypatch.setattr("os.open", opened)
    return known


def test_parts_of_other_hosts_are_seen_behind_an_attribute_cache(config, monkeypatch):
    folder = write(config, random_samples(4))
    write_part(folder, config, 0, 4)
    known = remember_listings(monkeypatch)
    assert len(folder.inventory().finished) == 8
    stale = {path: list(names) for path, names in known.items()}
    write_part(folder, config, 1, 8)
    known.update(stale)                          # the part was written by another host
    assert len(folder.inventory().finished) == 8
    assert len(merge(folder, config).finished) == 12
    assert not folder.parts.exists()


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (errno.ESTALE, FileChanged, "was replaced while it was read; try again"),
        (errno.EIO, UnreadableFile, r"cannot be read \(Input/output error\)"),
    ],
)
def test_errors_of_the_file_server_are_named(config, monkeypatch, answer, error, words):
    """ESTALE: another host has replaced the file, and the next try finds the new one."""
    folder = write(config, random_samples(5))
    folder.inventory()
    sealed._seals.clear()
    with monkeypatch.context() as patch:

        def read(handle, count, place, real=os.pread):
            if place == 0:
                raise OSError(answer, "refused")
            return real(handle, count, place)

        patch.setattr("os.pread", read)
        with pytest.raises(error, match=words):
            list(folder.pieces(MODEL))
    (point,) = folder.points()
    assert len(point.sample) == 5


def test_a_file_that_cannot_be_read_does_not_crash_the_exit(config):
    """In a process of its own: errors in callbacks of HDF5 must not outlive it."""
    write(config, random_samples(5))
    script = (
        "import os; from sitqmc.runs.store.run_folder import RunFolder; from sitqmc.runs.errors import *\n"
        "def read(handle, count, place, real=os.pread):\n"
        "    if place == 0: raise OSError(5, 'Input/output error')\n"
        "    return real(handle, count, place)\n"
        "os.pread = read\n"
        "try: RunFolder('out').inventory()\n"
        "except UnreadableFile as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "run.h5: cannot be read (Input/output error)" in done.stdout


def test_a_folder_without_a_run_is_named(config):
    with pytest.raises(UserError, match=r"out: no run found \(run.h5 is missing\); pass the output folder"):
        RunFolder("out").require()
    assert RunFolder("out").inventory().header is None

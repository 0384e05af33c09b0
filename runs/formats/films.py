"""Files of films: the text and HDF5 formats of this package, and the bundled synthetic films.

Text format. Lines `# name [unit]: value` first (unit optional), then one line of column names with units,
then numbers separated by blanks:

    # temperature [K]: 2.0
    # synthetic: yes
    nu [THz]  t  t_error  theta [rad]  theta_error [rad]
    0.100     0.1312  0.0007  1.201  0.004
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sitqmc.analytic.measurements.scans import ThzScan, TunnellingCurve
from sitqmc.analytic.measurements.synthetic import (
    SYNTHETIC_FILMS,
    SYNTHETIC_INSTRUMENT,
    SYNTHETIC_SUBSTRATE,
    synthetic_scan,
    synthetic_tunnelling,
)
from sitqmc.runs.formats.measured.binary import HDF5_COLUMNS


def write_scan(path: str | Path, scan: ThzScan) -> None:
    """Write the text format (7 digits) or, by suffix .h5/.hdf5, HDF5. Existing files are replaced."""
    path = Path(path)
    if path.suffix in (".h5", ".hdf5"):
        _write_hdf5(path, scan)
        return
    lines = [f"# temperature [K]: {scan.t_k!r}", f"# synthetic: {'yes' if scan.synthetic else 'no'}"]
    lines += [f"# {key}: {value}" for key, value in scan.meta.items()]
    lines.append("nu [THz]  t  t_error  theta [rad]  theta_error [rad]")
    table = np.column_stack([scan.nu_thz, scan.t, scan.t_error, scan.theta, scan.theta_error])
    lines += ["  ".join(f"{value:.7g}" for value in row) for row in table]
    path.write_text("\n".join(lines) + "\n")


def write_tunnelling(path: str | Path, curve: TunnellingCurve) -> None:
    """Write a tunnelling curve in the text format. An existing file is replaced."""
    lines = [f"# temperature [K]: {curve.t_k!r}", f"# synthetic: {'yes' if curve.synthetic else 'no'}"]
    lines += [f"# {key}: {value}" for key, value in curve.meta.items()]
    lines.append("bias [mV]  didv  didv_error")
    table = np.column_stack([curve.bias_mv, curve.didv, curve.didv_error])
    lines += ["  ".join(f"{value:.7g}" for value in row) for row in table]
    Path(path).write_text("\n".join(lines) + "\n")


def _write_hdf5(path: Path, scan: ThzScan) -> None:
    import h5py

    with h5py.File(path, "w", locking=False) as file:
        for name, unit in HDF5_COLUMNS.items():
            file[name] = getattr(scan, name)
            file[name].attrs["unit"] = unit
        file.attrs["temperature_k"] = scan.t_k
        file.attrs["synthetic"] = scan.synthetic
        for key, value in scan.meta.items():
            file.attrs[f"meta:{key}"] = value


def bundled_films() -> Path:
    """Return the folder of the bundled files, made by write_films with seed 1; truth/ holds their truth."""
    return Path(__file__).with_name("bundled_films")


def write_films(folder: str | Path, seed: int = 1) -> None:
    """Write the four synthetic films as text files, and their truth as folder/truth/*.json.

    Each film: NAME_normal.txt, NAME_cold.txt, NAME_tunnelling.txt, all marked synthetic. Existing files of
    these names are replaced.
    """
    folder = Path(folder)
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for k, (name, film) in enumerate(SYNTHETIC_FILMS.items()):
        rng = np.random.default_rng([seed, k])
        write_scan(folder / f"{name}_normal.txt", synthetic_scan(film, film.warm_k, rng))
        write_scan(folder / f"{name}_cold.txt", synthetic_scan(film, film.cold_k, rng))
        write_tunnelling(folder / f"{name}_tunnelling.txt", synthetic_tunnelling(film, rng))
        truth = {
            "film": asdict(film),
            "substrate": asdict(SYNTHETIC_SUBSTRATE),
            "instrument": asdict(SYNTHETIC_INSTRUMENT),
            "seed": [seed, k],
        }
        (folder / "truth" / f"{name}.json").write_text(json.dumps(truth, indent=1) + "\n")

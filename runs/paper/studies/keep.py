"""Renew the data kept with the package from finished runs, then their spectra.

    python -m sitqmc.runs.paper.studies.keep dirty DIR [DIR ...]     # output folders of the configurations
    python -m sitqmc.runs.paper.studies.spectra                      # continue them again

Reducing a point takes about ten CPU seconds, most of them for functions of its masks. Points with fewer than
FEW samples (of unfinished runs) are left out. The CPU time of a sample, from the trial of `sitqmc plan`, is
kept too: each statement gives the core hours that would decide it.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from sitqmc.qmc import Model
from sitqmc.runs.jobs.plan import chain_seconds
from sitqmc.runs.paper.studies.study import DATA, STUDIES, reduce_runs, save_study
from sitqmc.runs.store.run_folder import RunFolder

FEW = 40


def keep(study: str, folders: list[Path], out: Path | None = None) -> Path:
    """Write medium_STUDY.h5 from the output folders of its runs; returns the path."""
    command = f"sitqmc reproduce all --size medium --simulate ({', '.join(f.name for f in folders)})"
    found = reduce_runs(study, folders, command=command)
    seconds = dict[Model, float]()
    for folder in folders:
        seconds |= chain_seconds(RunFolder(folder).header.config)
    kept = tuple(
        replace(point, chain_seconds=seconds[point.model]) for point in found.points if point.n_samples >= FEW
    )
    path = out or DATA / f"medium_{study}.h5"
    save_study(path, replace(found, points=kept))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    chosen = parser.parse_args()
    path = keep(chosen.study, chosen.folders)
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

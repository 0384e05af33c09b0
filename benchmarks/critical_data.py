"""Make and reduce the data behind benchmarks/critical.py.

    python benchmarks/critical_data.py make CONFIG [--folder FOLDER]     simulate; resumable
    python benchmarks/critical_data.py expand CONFIG FOLDER              plain configurations for `sitqmc run`
    python benchmarks/critical_data.py reduce OUT RUN.h5 [RUN.h5 ...]    per-sample means of stores

CONFIG is a configuration of `sitqmc run`. In addition, charging may be an expression of eps: isotropic models
have charging = "1/eps**2", so that K_x = K_tau = eps. `make` writes benchmarks/data/NAME.npz, where NAME is
the name of CONFIG. It uses the same random streams as `sitqmc run`.
"""

import argparse
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sitqmc.qmc import Chains, Model, sample_means
from sitqmc.runs.config.config import Config, matsubara_count, parse_config
from sitqmc.runs.config.expressions import evaluate

DATA = Path(__file__).parent / "data"
PARAMETERS = ("Lx", "Ly", "L_tau", "eps", "charging", "p")
GROUP = 8  # chains that take turns, for speed alone
SCALARS = ("rho_s", "kappa", "minus_k", "energy")


def expanded(path: Path) -> Iterator[dict[str, Any]]:
    """Return the tables of a configuration, one per eps if charging is an expression."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    model = table["model"]
    if not isinstance(model["charging"], str):
        yield table
        return
    for eps in model["eps"] if isinstance(model["eps"], list) else [model["eps"]]:
        charging = evaluate(model["charging"], {"eps": eps})
        yield table | {"model": model | {"eps": eps, "charging": charging}}


def reduced(model: Model, bins: dict[str, Any], n_rho: int) -> dict[str, Any]:
    """Return the means per sample and the squared errors of rho_s and kappa within the samples, float32."""
    means = sample_means(model, bins)
    out = {name: means[name] for name in SCALARS}
    out["rho_x_0"], out["rho_y_0"] = means["rho_s_x"], means["rho_s_y"]
    both = (bins["rho_s_x"] + bins["rho_s_y"]) / 2
    out["rho_s_within"] = both.var(axis=1, ddof=1) / both.shape[1]
    # G(k = 0) at equal times, and summed over them: order parameter squared and susceptibility, per site.
    out["G_0"], out["G_sum"] = means["G_k0"][:, 0], means["G_k0"].sum(axis=1)
    out["kappa_within"] = bins["kappa"].var(axis=1, ddof=1) / both.shape[1]
    if n_rho:
        missing = max(0, n_rho + 1 - means["rho"].shape[1])  # of a small L_tau: zeros
        out["rho"] = np.pad(means["rho"], ((0, 0), (0, missing)))[:, : n_rho + 1]
    return {name: np.asarray(values, np.float32) for name, values in out.items()}


def simulate(config: Config, model: Model, n_rho: int) -> dict[str, Any]:
    """Return the reduced samples of one point."""
    seed, n_max = config.disorder.seed, matsubara_count(config, model)
    bins: dict[str, list[Any]] = {}
    for first in range(0, config.disorder.samples, GROUP):
        samples = range(first, min(first + GROUP, config.disorder.samples))
        bonds = [model.draw_disorder(seed, sample) for sample in samples]
        chains = Chains(model, bonds, seed=seed, samples=samples, schedule=config.schedule, n_max=n_max)
        while not chains.finished:
            chains.step()
        for result in chains.results():
            for name, values in result.bins.items():
                bins.setdefault(name, []).append(values)
    return reduced(model, {name: np.array(values) for name, values in bins.items()}, n_rho)


def save(path: Path, parts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """Write one npz file: parameters (points,), arrays (points, samples, ...)."""
    table = {name: np.array([head[name] for head, _ in parts]) for name in ("action", *PARAMETERS)}
    count = min(len(arrays["rho_s"]) for _, arrays in parts)
    table |= {name: np.array([arrays[name][:count] for _, arrays in parts]) for name in parts[0][1]}
    np.savez_compressed(path, **table)
    print(f"{path}: {len(parts)} points, {count} samples, {path.stat().st_size / 1e3:.0f} kB")


def head_of(model: Model) -> dict[str, Any]:
    return {name: getattr(model, name) for name in ("action", *PARAMETERS)}


def make(path: Path, folder: Path | None, n_rho: int) -> None:
    parts = []
    for table in expanded(path):
        config = parse_config(table)
        home = folder or Path(config.output.path)
        home.mkdir(parents=True, exist_ok=True)
        for model in config.models:
            name = "_".join(f"{key}{value}" for key, value in head_of(model).items())
            file = home / f"{name}_s{config.disorder.samples}.npz"
            if not file.exists():
                np.savez(home / "unfinished.npz", **simulate(config, model, n_rho))
                (home / "unfinished.npz").rename(file)
                print(file.name, flush=True)
            parts.append((head_of(model), dict(np.load(file))))
    save(DATA / f"{path.stem}.npz", parts)


def expand(path: Path, folder: Path) -> None:
    """Write plain TOML files, each with its own output folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for table in expanded(path):
        name = f"{path.stem}_{table['model']['eps']:.6g}"
        table["output"] = table.get("output", {}) | {"path": str(folder / name)}
        lines = []
        for section, keys in table.items():
            lines.append(f"[{section}]")
            for key, value in keys.items():
                lines.append(f"{key} = {value!r}".replace("True", "true").replace("False", "false"))
        (folder / f"{name}.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        print(folder / f"{name}.toml")


def reduce(out: Path, stores: list[Path], n_rho: int) -> None:
    from sitqmc.runs.store.run_folder import RunFolder

    points = (point for store in stores for point in RunFolder(store).points(names=["bins"]))
    save(out, [(head_of(p.model), reduced(p.model, p.bins, n_rho)) for p in points])


def main() -> None:
    parser = argparse.ArgumentParser(description="Make and reduce the data behind benchmarks/critical.py.")
    parser.add_argument("--n-rho", type=int, default=0, help="Matsubara numbers of rho kept (0: none)")
    commands = parser.add_subparsers(required=True, dest="command")
    command = commands.add_parser("make")
    command.add_argument("config", type=Path)
    command.add_argument("--folder", type=Path)
    command = commands.add_parser("expand")
    command.add_argument("config", type=Path)
    command.add_argument("folder", type=Path)
    command = commands.add_parser("reduce")
    command.add_argument("out", type=Path)
    command.add_argument("stores", type=Path, nargs="+")
    a = parser.parse_args()
    if a.command == "make":
        make(a.config, a.folder, a.n_rho)
    elif a.command == "expand":
        expand(a.config, a.folder)
    else:
        reduce(a.out, a.stores, a.n_rho)


if __name__ == "__main__":
    main()

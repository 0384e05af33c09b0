"""Results of a film on disk, and the comparison of a run with a film."""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sitqmc.analytic import (
    Comparison,
    ExcessConductivity,
    FamilyComparison,
    FilmAnalysis,
    TheoryCurve,
    TunnellingCurve,
    compare_family,
    mev_to_thz,
)
from sitqmc.analytic import compare as compare_curve
from sitqmc.analytic.comparison import best_of_family
from sitqmc.analytic.film.inversion import MeasuredConductivity
from sitqmc.analytic.film.mount.nuisances import Nuisance
from sitqmc.analytic.units import Array
from sitqmc.estimate import Estimate
from sitqmc.runs.errors import UnreadableFile, UserError
from sitqmc.runs.results.analysis import RunResults
from sitqmc.runs.results.point import PointResult, RunPoint
from sitqmc.runs.results.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LAYOUT = 1
DRAWS, FEWEST_DRAWS = 400, 20
"""Draws of a spectrum that carry its covariance, and the fewest that are used."""


@dataclass(frozen=True, eq=False)
class FilmRecord:
    """Part of an analysed film that a comparison needs; sigma_h lies below the gap."""

    name: str
    thickness_nm: float
    stiffness_mev: Estimate
    sigma_h: ExcessConductivity


def write_film(folder: Path, film: FilmAnalysis, tunnelling: TunnellingCurve | None = None) -> list[Path]:
    """Write tables, figures, film.json and one page; existing files of these names are replaced.

    A film whose joint fit is rejected gets the page alone.
    tunnelling  the measured curve, for its figure
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be created ({error.strerror}); choose another folder") from None
    paths: list[Path] = []
    if not film.rejected:
        paths += [*_tables(folder, film), _json(folder, film)]
    figures = _figures(film, tunnelling)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png")
        paths.append(folder / f"{name}.png")
    page = folder / "film.html"
    page.write_text(_page(folder.name, film, list(figures)), encoding="utf-8")
    return [*paths, page]


def _figures(film: FilmAnalysis, tunnelling: TunnellingCurve | None) -> "dict[str, Figure]":
    """Return the figures of the page by name; none of a rejected film but its tunnelling curve."""
    from sitqmc.runs.results.figures.film import draw_correlation, draw_excess, draw_pairs, draw_tunnelling

    figures: dict[str, Figure] = {}
    if not film.rejected:
        figures["sigma"] = draw_pairs(film.pairs, film.background)
        figures["excess"] = draw_excess(
            film.pairs, film.background, film.sigma_h, film.omega, film.peak, film.plain.fit.quality
        )
    if tunnelling is not None and film.tunnelling is not None:
        figures["tunnelling"] = draw_tunnelling(tunnelling, film.tunnelling)
    if film.mount is not None and not film.rejected:
        figures["correlation"] = draw_correlation(film.mount)
    return figures


def _page(name: str, film: FilmAnalysis, figures: list[str]) -> str:
    """Return the page: results, prior and result of every nuisance, figures."""
    title, known = html.escape(name), film.mount.nuisances if film.mount else ()

    def row(nuisance: Nuisance) -> str:
        prior = f"{nuisance.prior.value:.5g} ± {nuisance.prior.error:.2g}"
        cells = (
            nuisance.name, prior if nuisance.prior.is_known else "free", str(nuisance.estimate), nuisance.unit
        )  # fmt: skip
        return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"

    table = (
        "<h2>What the fit adjusted</h2>\n<table><tr><th>quantity</th><th>prior</th><th>result</th>"
        "<th>unit</th></tr>\n" + "\n".join(map(row, known)) + "\n</table>"
    )
    images = "\n".join(f'<img src="{figure}.png" alt="{figure}">' for figure in figures)
    return (
        f"<!doctype html><meta charset='utf-8'><title>{title}</title>\n<h1>{title}</h1>\n"
        f"<pre>{html.escape(film.report())}</pre>\n{images}\n{table if known else ''}\n"
    )


def _tables(folder: Path, film: FilmAnalysis) -> list[Path]:
    """Write sigma at every frequency, sigma at the pairs, and sigma_H at the pairs."""
    head = "nu_thz,sigma1,sigma1_error,sigma2,sigma2_error"

    def columns(found: MeasuredConductivity) -> list[Array]:
        return [found.nu_thz, found.sigma.real, found.sigma1_error, found.sigma.imag, found.sigma2_error]

    joint = film.mount.states[0].conductivity if film.mount else film.points
    sigma_h = [film.sigma_h.nu_thz, film.sigma_h.sigma_h, film.sigma_h.error]
    tables = {
        "sigma": (head, columns(joint)),
        "pairs": (head, columns(film.pairs)),
        "excess": ("nu_thz,sigma_h,sigma_h_error", sigma_h),
    }
    paths = []
    for name, (names, values) in tables.items():
        path = folder / f"{name}.csv"
        np.savetxt(path, np.column_stack(values), fmt="%.8g", delimiter=",", header=names, comments="")
        paths.append(path)
    return paths


def _json(folder: Path, film: FilmAnalysis) -> Path:
    """Write film.json, the part of the results that a comparison needs."""
    below = film.sigma_h.below(float(mev_to_thz(2 * film.background.delta_mev)))
    content = {
        "layout": LAYOUT,
        "thickness_nm": float(film.background.setup.sample.film_nm),
        "stiffness_mev": [float(film.stiffness_mev.value), float(film.stiffness_mev.error)],
        "nu_thz": below.nu_thz.tolist(),
        "sigma_h": below.sigma_h.tolist(),
        "covariance": below.covariance.tolist(),
        "report": film.report().splitlines(),
    }
    path = folder / "film.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path


def read_film(folder: Path) -> FilmRecord:
    """Read a folder of write_film.

    raises  UserError if there is no film, UnreadableFile if its file is damaged
    """
    path = folder if folder.suffix == ".json" else folder / "film.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        data = ExcessConductivity(
            nu_thz=np.array(content["nu_thz"]), sigma_h=np.array(content["sigma_h"]),
            covariance=np.array(content["covariance"]),
        )  # fmt: skip
        stiffness = Estimate(*content["stiffness_mev"])
        return FilmRecord(path.parent.name, float(content["thickness_nm"]), stiffness, data)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; pass a folder that `sitqmc film` has written") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(f"{path}: damaged, or no film ({error}); analyse the film again") from None


def theory_curve(point: RunPoint) -> TheoryCurve | None:
    """Return sigma(omega) of a point with the covariance of its posterior; None without a spectrum."""
    spectrum = point.spectrum
    if spectrum is None:
        return None
    inside, low, high = spectrum.omega > 0, *spectrum.sigma_band()
    rho_s = point.averages.values["rho_s"]
    error, draws = (high - low)[inside] / 2, np.empty((0, 0))
    samples = np.asarray(spectrum.samples())[:DRAWS, inside]
    if samples.shape[0] >= FEWEST_DRAWS:
        # The draws give the correlation along omega; the band gives the size of the errors.
        centred = samples - samples.mean(axis=0)
        size = centred.std(axis=0, ddof=1)
        scale = np.divide(error, size, out=np.zeros_like(size), where=size > 0)
        draws = spectrum.sigma[inside] + centred * scale
    return TheoryCurve(
        omega=spectrum.omega[inside], sigma=spectrum.sigma[inside], error=error, rho_s=float(rho_s.value),
        rho_s_error=float(rho_s.error), draws=draws if draws.size else None,
    )  # fmt: skip


def compare_run(
    results: RunResults, film: FilmRecord, amplitude: Estimate | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the label and the comparison in words of every point of a run, and the best p if p differs.

    amplitude  prior of a free factor between array and film; None: 1
    """
    family: dict[float, Comparison] = {}
    for point in results.results:
        theory = theory_curve(point)
        if theory is None:
            yield results.label(point), "no sigma(omega): " + "; ".join(point.warnings)
            continue
        try:
            found = compare_curve(
                theory, film.sigma_h, film.thickness_nm, amplitude=amplitude,
                film_stiffness_mev=film.stiffness_mev,
            )  # fmt: skip
        except ValueError as error:
            raise UserError(f"{film.name}: {error}") from None
        yield results.label(point), found.report()
        family[point.model.p] = found
    if 1 < len(family) == len(results.results):
        best = best_of_family(family)
        low, high = best.p.interval()
        yield (
            "best p",
            f"p = {best.p.value:g}, interval {low:.4g} to {high:.4g} (-2 ln L <= minimum + 1), from "
            f"{len(family)} values\nat this p, theory: {best.best.quality.text}",
        )


Film = FilmAnalysis | FilmRecord | str | Path
"""An analysed film, its record, or the folder that `sitqmc film` has written."""


def compare(
    theory: Run | RunResults | RunPoint | TheoryCurve, film: Film, *, e_j_mev: float | None = None,
    search_mev: tuple[float, float] | None = None, amplitude: Estimate | None = None, **where: Any,
) -> Comparison | FamilyComparison:  # fmt: skip
    """Compare sigma(omega) of a simulation with the excess conductivity of a film.

        comparison = sitqmc.compare(run, film, p=0.1)

    theory   a run, one of its points, or a curve
    film     an analysed film, or the folder that `sitqmc film` has written
    where    parameters that single out points of a run, such as p=0.1
    e_j_mev, search_mev, amplitude   as of `sitqmc.analytic.compare`
    returns  the comparison of one point; of several points that differ in p, `FamilyComparison` with the
             best p
    raises   UserError if there is no spectrum or sigma_H to compare
    """
    curves = _curves(theory, where)
    record = _record(film)
    options: dict[str, Any] = {
        "e_j_mev": e_j_mev, "search_mev": search_mev, "amplitude": amplitude,
        "film_stiffness_mev": record.stiffness_mev,
    }  # fmt: skip
    try:
        if len(curves) == 1:
            (curve,) = curves.values()
            return compare_curve(curve, record.sigma_h, record.thickness_nm, **options)
        return compare_family(curves, record.sigma_h, record.thickness_nm, **options)
    except ValueError as error:
        raise UserError(f"{record.name}: {error}") from None


def _curves(
    theory: Run | RunResults | RunPoint | TheoryCurve, where: dict[str, Any]
) -> dict[float, TheoryCurve]:
    """Return the curves by p; UserError if points differ in something else or have no spectrum."""
    if isinstance(theory, TheoryCurve):
        return {0.0: theory}
    if isinstance(theory, PointResult):
        points: Sequence[RunPoint] = [theory]
    elif isinstance(theory, RunResults):
        points = theory.results
    else:
        points = [theory.point(**where)] if where else theory.points
    found = {point.model.p: theory_curve(point) for point in points}
    if len(found) < len(points):
        raise UserError("the points differ in more than p; name one, such as L=16, p=0.1")
    missing = [p for p, curve in found.items() if curve is None]
    if missing:
        raise UserError(f"p = {missing[0]:g}: has no spectrum; see the warnings of the point")
    return {p: curve for p, curve in found.items() if curve is not None}


def _record(film: Film) -> FilmRecord:
    if isinstance(film, FilmRecord):
        return film
    if not isinstance(film, FilmAnalysis):
        return read_film(Path(film))
    if film.rejected:
        raise UserError("the joint fit of the film is rejected: it has no sigma_H to compare with")
    below = film.sigma_h.below(float(mev_to_thz(2 * film.background.delta_mev)))
    thickness = float(film.background.setup.sample.film_nm)
    return FilmRecord("film", thickness, film.stiffness_mev, below)

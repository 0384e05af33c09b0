"""Style of all figures: sizes, type, colours, and how a figure is saved or shown in a notebook."""

import io
import logging
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from sitqmc.runs.errors import UserError
from sitqmc.runs.store.provenance import package_version

MM = 1 / 25.4
COLUMN, PAGE = 89 * MM, 183 * MM                 # widths of one and of two columns of a journal, inch
PANEL = 62 * MM                                  # height of a panel, inch
FORMATS = ("png", "pdf", "svg")

BLUE, RED, GREEN, ORANGE, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "0.45"
"""Colours of Okabe and Ito, which colour-blind readers tell apart."""

STYLE: Any = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"],     # comes with matplotlib
    "font.size": 7, "axes.labelsize": 7, "axes.titlesize": 7, "legend.fontsize": 6.5, "legend.frameon": False,
    "xtick.labelsize": 6.5, "ytick.labelsize": 6.5, "axes.linewidth": 0.6, "lines.linewidth": 1.1,
    "xtick.major.width": 0.6, "ytick.major.width": 0.6, "axes.spines.top": False, "axes.spines.right": False,
    "figure.dpi": 150, "savefig.dpi": 300, "figure.autolayout": False, "figure.constrained_layout.use": False,
    "pdf.fonttype": 42, "ps.fonttype": 42,       # TrueType: text stays text, editors can change it
    "svg.fonttype": "path", "svg.hashsalt": "sitqmc",                    # looks the same everywhere
}  # fmt: skip


class NotebookFigure(Figure):
    """A Figure without pyplot that a notebook shows when it is the last value of a cell."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()

    def shown(self) -> "NotebookFigure":
        """Return the figure itself, as the last value of a cell."""
        return self


def styled() -> Any:
    """Return the style as a context."""
    return matplotlib.rc_context(STYLE)


def new_figure(width: float, height: float) -> NotebookFigure:
    """Return an empty figure; width and height in inches."""
    return NotebookFigure(figsize=(width, height), layout="constrained")


def finished(figure: NotebookFigure) -> NotebookFigure:
    """Make ticks and layout while the style is in force; return the figure."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)           # with an engine, "none" too, saving draws everything twice
    return figure


def ordered_colour(rank: float) -> tuple[float, float, float, float]:
    """Return the viridis colour of a rank in [0, 1], without the light end, which is hard to see on white.

    viridis is ordered, safe for colour-blind readers, and keeps its order in grey.
    """
    red, green, blue, alpha = matplotlib.colormaps["viridis"](0.88 * rank)
    return float(red), float(green), float(blue), float(alpha)


def save_figure(figure: Figure, kind: str, title: str, target: Any) -> None:
    """Write a figure as png, pdf or svg to a path or a binary file.

    raises  UserError for another format
    """
    if kind not in FORMATS:
        raise UserError(f"figure format {kind!r}: not known; choose one of {', '.join(FORMATS)}")
    made = f"sitqmc {package_version()}"
    about: dict[str, dict[str, str | None]] = {
        "png": {"Title": title, "Software": made},
        "pdf": {"Title": title, "Creator": made},
        "svg": {"Title": title, "Creator": made, "Date": None},
    }
    # fontTools logs every font whose time stamps it cannot read.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    with styled():
        figure.savefig(target, format=kind, metadata=about[kind])


def image(figure: Figure, kind: str, title: str) -> bytes:
    """Return a figure as the bytes of a file."""
    out = io.BytesIO()
    save_figure(figure, kind, title, out)
    return out.getvalue()

"""A figure without pyplot that a notebook shows."""

import io

from matplotlib.figure import Figure


class ShownFigure(Figure):
    """A Figure that a notebook shows when it is the last value of a cell: nothing to close, no backend."""

    def _repr_png_(self) -> bytes:
        out = io.BytesIO()
        self.savefig(out, format="png")
        return out.getvalue()

    def shown(self) -> "ShownFigure":
        """Itself: the last value of a cell."""
        return self

"""Durations for reading."""


def clock(seconds: float) -> str:
    """h:mm:ss."""
    if seconds != seconds:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"

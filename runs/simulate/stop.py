"""An orderly stop: by a signal, or before the wall-clock limit of the job ends.

Signals only set a flag. Workers read it between two steps of their chains, write a checkpoint and return. The
clock is the main mechanism under a batch system, where signals may be late or never come.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from sitqmc.runs.errors import UserError

STOPPED = 75                 # exit status: stopped in order, start again (EX_TEMPFAIL of sysexits.h)
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class Stop:
    """Decides whether a run has to stop, and for which reason.

    seconds   time from now until the job is killed, or None
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.end = None if seconds is None else time.monotonic() + seconds
        self.slowest = 0.0                       # step or checkpoint, s
        self.signal: str | None = None
        self.given_reason: str | None = None     # from another rank, or from a lost lock

    def record_duration(self, seconds: float) -> None:
        """Note the duration of a step or of a checkpoint."""
        self.slowest = max(self.slowest, seconds)

    @property
    def margin(self) -> float:
        """Time between the stop and the end of the job, s."""
        least = 60.0 if self.seconds is None else min(60.0, 0.1 * self.seconds)
        return max(least, 3 * self.slowest)

    def reason(self) -> str | None:
        """Return the reason to stop now; None to continue."""
        if self.signal:
            return f"signal {self.signal}"
        if self.given_reason:
            return self.given_reason
        if self.end is not None and time.monotonic() > self.end - self.margin:
            return "time limit"
        return None

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Let signals set the flag; a second Ctrl-C interrupts at once.

        Outside the main thread, where Python takes no signals, only the clock decides.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return

        def note(number: int, frame: FrameType | None) -> None:
            if self.signal == "SIGINT" and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.signal = signal.Signals(number).name

        before = {number: signal.signal(number, note) for number in SIGNALS}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def parse_time(text: str) -> float:
    """Return the seconds of a time as SLURM writes it: 90 (minutes), 1:30 (min:s), 12:00:00, 1-12 (days)."""
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a time; write hours:minutes:seconds, such as 12:00:00")
    days, *rest = match.groups()
    parts = [int(x) for x in rest if x is not None]
    if days is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    elif len(parts) == 3:
        hours, minutes, seconds = parts
    else:
        hours, (minutes, seconds) = 0, (*parts, 0)[:2]
    return float(int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds)


def given_time(asked: str | None) -> float | None:
    """Return the seconds of --time; None if it is not given; UserError for a bad time."""
    if asked is None:
        return None
    try:
        return parse_time(asked)
    except ValueError as error:
        raise UserError(f"--time: {error}") from None


def job_time(environment: Mapping[str, str] = os.environ) -> float | None:
    """Return the seconds until the SLURM job ends; None without a limit or without SLURM."""
    end, job = environment.get("SLURM_JOB_END_TIME", ""), environment.get("SLURM_JOB_ID")
    if end.isdigit():
        return float(end) - time.time()
    return _asked_of_squeue(job) if job else None


def _asked_of_squeue(job: str) -> float | None:
    try:
        done = subprocess.run(
            ["squeue", "-h", "-j", job, "-O", "TimeLeft"], capture_output=True, text=True, timeout=30
        )
        return parse_time(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None                              # UNLIMITED, or no squeue here

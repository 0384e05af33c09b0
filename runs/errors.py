"""Mistakes a user can fix (exit status 2), files that cannot be written (1), and an orderly stop (75)."""


class UserError(Exception):
    """A mistake that the user can fix: says which key or file, which value, which bound, and what to do."""


class UnreadableFile(UserError):
    """A file that is damaged, or that this package has not written."""


class FileChanged(UnreadableFile):
    """A file that a running job replaced while it was read."""


class WriteFailed(Exception):
    """A full disk or an exhausted quota; says which file, and what to do."""


class Stopped(Exception):
    """An orderly stop, asked for by a signal or by the time limit; says why."""

"""Mistakes a user can mend: one line, exit status 2. And an orderly stop: exit status 75."""


class UserError(Exception):
    """Says which key or file, which value, which bound, and what to do."""


class NotOurs(UserError):
    """A file that is not a readable run file of this package."""


class Stopped(Exception):
    """A signal or the time limit asked for an orderly stop; says what is safe."""

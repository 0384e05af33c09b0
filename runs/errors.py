"""Mistakes a user can mend: one line, exit status 2."""


class UserError(Exception):
    """Says which key or file, which value, which bound, and what to do."""


class NotOurs(UserError):
    """A file that is not a readable run file of this package."""

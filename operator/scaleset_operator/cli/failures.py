"""How a command ends when it cannot do its work: one line, and an exit code.

Must not know: any command. Imports nothing, for `--help` imports it.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; 2 to 4 are those of `status`, and 2 is also that of a wrong command line."""

    FINE = 0
    ERROR = 1
    DEGRADED = 2
    SUSPENDED = 3
    TIMEOUT = 4


class Failure(Exception):  # noqa: N818 - what a person is told, not a fault of the program
    """Ends a command.

    Attributes:
        code: exit code.
    """

    def __init__(self, line: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(line)
        self.code = code


class Forbidden(Failure):
    """The API server does not let this user do it (403)."""


class Overtaken(Failure):
    """Somebody else wrote the object since it was read (409)."""


class NotThere(Failure):
    """There is no such object."""

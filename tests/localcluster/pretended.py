"""A `Commands` that runs nothing: it notes what it was asked to run and answers as it was told.

Must not know: any single program.
"""

from __future__ import annotations

import io
from typing import Self

from localcluster.commands import CommandError, Commands

Answers = dict[str, "str | CommandError"]


class Pretended(Commands):
    """Answers by how a command line begins; what is not named prints nothing and ends well."""

    def __init__(self, answers: Answers | None = None, path: str = "") -> None:
        super().__init__({"PATH": path}, io.StringIO())
        self.answers = answers or {}
        self.ran: list[str] = []
        self.sent: list[bytes] = []

    def within(self, **variables: str) -> Self:
        self.environment |= variables
        return self

    def __call__(self, *argv: str, stdin: bytes = b"", timeout: float | None = None) -> str:
        line = " ".join(argv)
        self.ran.append(line)
        self.sent.append(stdin)
        for start, answer in self.answers.items():
            if line.startswith(start):
                if isinstance(answer, CommandError):
                    raise answer
                return answer
        return ""

    def watched(self, title: str, seconds: int, *argv: str) -> None:
        self(*argv)

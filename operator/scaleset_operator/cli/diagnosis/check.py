"""What one check found, and which of them make `doctor` fail.

Must not know: what is checked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

LISTED: Final = 5
"""Findings named in one message; the rest is a number."""


class Verdict(StrEnum):
    """What a check came to."""

    OK = "Ok"
    NOTE = "Note"
    UNKNOWN = "Unknown"
    FAILED = "Failed"


MARKS: Final = {Verdict.OK: "✔", Verdict.NOTE: "!", Verdict.UNKNOWN: "?", Verdict.FAILED: "✖"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One finding.

    Attributes:
        name: of the check, the same in every run.
        message: what was found.
        hint: what to do about it; empty where there is nothing.
    """

    name: str
    verdict: Verdict
    message: str
    hint: str = ""

    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "check": self.name,
            "verdict": str(self.verdict),
            "message": self.message,
            "hint": self.hint,
        }


def failed(checks: Iterable[Check]) -> bool:
    """Whether any check failed; what is unknown is no failure."""
    return any(check.verdict is Verdict.FAILED for check in checks)


def named(findings: Sequence[str]) -> str:
    """Some findings in one sentence, the first few of them by name."""
    rest = len(findings) - LISTED
    return "; ".join(findings[:LISTED]) + (f"; and {rest} more" if rest > 0 else "")

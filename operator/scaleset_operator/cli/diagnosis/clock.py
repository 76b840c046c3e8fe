"""Whether this machine's clock agrees with the API server's."""

from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.cli.diagnosis.check import Check, Verdict
from scaleset_operator.cli.printing import span

NAME: Final = "clock"
MOST: Final = timedelta(seconds=5)
"""Times in status and in requests are compared with a person's own; more than this misleads."""
GRAIN: Final = timedelta(seconds=1)
"""Of the Date header: its second began somewhere in it."""


def skew(asked: datetime, said: datetime | None, answered: datetime) -> Check:
    """Compare our clock with the Date of an answer.

    Args:
        asked: our time before the question.
        said: the Date header, in whole seconds; None where there was none.
        answered: our time after the answer.
    """
    if said is None:
        message = "the API server's answers bear no Date"
        return Check(name=NAME, verdict=Verdict.UNKNOWN, message=message)
    ahead = asked - (said + GRAIN)
    behind = said - answered
    off = max(ahead, behind, timedelta(0))
    if off <= MOST:
        message = f"agrees with the API server's within {span(max(off, GRAIN))}"
        return Check(name=NAME, verdict=Verdict.OK, message=message)
    way = "ahead of" if ahead > behind else "behind"
    message = f"this machine is {span(off)} {way} the API server"
    hint = "set it by NTP: times shown are misleading until then"
    return Check(name=NAME, verdict=Verdict.FAILED, message=message, hint=hint)

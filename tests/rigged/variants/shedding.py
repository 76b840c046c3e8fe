"""A broken variant: whoever leaves rotation counts as Unhealthy (P-29, P-17)."""

from dataclasses import replace
from typing import Any

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import rotation
from scaleset_operator.core.health import Verdict

join = rotation._join  # noqa: SLF001 - the rule to be broken


def both(health: Verdict, said: Verdict) -> Verdict:
    """The worse of the two is the health, says this one."""
    worse: dict[str, Any] = {"health": said.health, "reason": said.reason, "message": said.message}
    return join(replace(health, **worse), said)


MonkeyPatch().setattr(rotation, "_join", both)

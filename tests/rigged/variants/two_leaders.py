"""A broken variant: a leader holds on for longer than a lease lasts (R-17)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import election

MonkeyPatch().setattr(election, "LEAD_S", 2 * election.LEAD_S)

"""A broken variant: a recorded renewal is written, whatever has changed since (rules 4, 5, 10)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import rollout_inplace

MonkeyPatch().setattr(rollout_inplace, "may_write", lambda *_: True)

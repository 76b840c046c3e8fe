"""A broken variant: what a second vantage hears counts for nothing (rule 15)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core.health import Bench

MonkeyPatch().setattr(Bench, "_seen_elsewhere", lambda *_: None)

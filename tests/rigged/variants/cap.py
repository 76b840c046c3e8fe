"""A broken variant: the allowance is rounded up, as most budgets do it (R-11)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import scene

MonkeyPatch().setattr(scene, "batch_allowance", lambda total, percent: total * percent // 100 + 1)

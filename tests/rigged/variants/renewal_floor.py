"""A broken variant: a pod that stays counts as one that was never taken (rule 22)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import rollout, rollout_inplace, scene

patch = MonkeyPatch()
patch.setattr(rollout_inplace.Renewals, "uids", frozenset())
patch.setattr(rollout._Choice, "_under_way", lambda _: 0)  # noqa: SLF001 - what is rigged
patch.setattr(scene, "after_renewal", lambda _observed, verdicts, _now: verdicts)

"""A broken variant: the surplus of notices counts as too many, and is trimmed (R-53)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core.scene import Scene

MonkeyPatch().setattr(Scene, "staying", property(lambda scene: scene.live))

"""A broken variant: grace is never asked (R-24)."""

from dataclasses import replace

from scaleset_operator.core import gates

_asked = gates._out_of_grace  # noqa: SLF001 - a rig reaches inside
_open = lambda scene, instance: replace(_asked(scene, instance), open=True)  # noqa: E731
gates.OF_THE_INSTANCE = tuple(_open if g is _asked else g for g in gates.OF_THE_INSTANCE)

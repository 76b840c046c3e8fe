"""A broken variant: silence convicts, whatever the others say (rule 18)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import health
from scaleset_operator.core.doubt import Doubtfulness, Found

MonkeyPatch().setattr(health, "weigh", lambda *_: Found(kind=Doubtfulness.CONVICTED))

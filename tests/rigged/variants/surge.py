"""A broken variant: an instance goes as soon as its successor is there, well or not (rule 22)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import surge

MonkeyPatch().setattr(surge, "serves", lambda *_: True)

"""A broken variant: a probe that says 200 keeps a Terminating instance in rotation (P-20)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.core import publication

MonkeyPatch().setattr(publication, "departures", lambda _: ())

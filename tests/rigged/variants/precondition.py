"""A broken variant: a DELETE names the pod only, not which one of that name (rule 5)."""

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.adapters.cluster import bodies

OPTIONS = {"apiVersion": "v1", "kind": "DeleteOptions"}
MonkeyPatch().setattr(bodies, "deletion", lambda _: OPTIONS)

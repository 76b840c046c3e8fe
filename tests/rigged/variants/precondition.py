"""A broken variant: a DELETE names the pod only, not which one of that name (rule 5)."""

from scaleset_operator.adapters.cluster import bodies

bodies.deletion = lambda _: {"apiVersion": "v1", "kind": "DeleteOptions"}

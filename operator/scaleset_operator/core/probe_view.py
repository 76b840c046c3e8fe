"""A HealthProbe as decisions see it: its times, its port, and the identity of its rules.

Must not know: which set names it, or whether it may be used.
"""

from datetime import timedelta

from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.core.observed import ProbeView


def in_force(probe: HealthProbe, port: int) -> ProbeView:
    """The view of a probe that is used on this port (P-25)."""
    meta, spec = probe.metadata, probe.spec
    return ProbeView(
        name=meta.name,
        identity=f"{meta.uid}/{meta.generation}/{port}",
        interval=timedelta(seconds=spec.interval_in_seconds),
        timeout=timedelta(seconds=spec.timeout_in_seconds),
        port=port,
    )

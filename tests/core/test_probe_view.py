"""A HealthProbe as decisions see it."""

from datetime import timedelta

from scaleset_operator.api.base import ObjectMeta
from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeSpec
from scaleset_operator.core.observed import ProbeView
from scaleset_operator.core.probe_view import in_force
from tests.support.builders import raw_probe


def test_a_probe_in_force_has_its_times_its_port_and_the_identity_of_its_rules() -> None:
    """P-25: another UID, generation or port is another probe, and its evidence another's."""
    meta = ObjectMeta(name="web-http", namespace="default", uid="u-1", generation=3)
    spec = HealthProbeSpec.model_validate(raw_probe(intervalInSeconds=7, timeoutInSeconds=22))
    assert in_force(HealthProbe(metadata=meta, spec=spec), 8081) == ProbeView(
        name="web-http",
        identity="u-1/3/8081",
        interval=timedelta(seconds=7),
        timeout=timedelta(seconds=22),
        port=8081,
    )

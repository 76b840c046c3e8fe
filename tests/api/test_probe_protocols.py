"""What a probe may speak."""

import pytest
from pydantic import ValidationError

from scaleset_operator.api.healthprobe import HealthProbeSpec


@pytest.mark.parametrize("invented", ["udp", "UDP", "https", "HTTP", "grpc"])
def test_only_http_and_tcp_are_spoken(invented: str) -> None:
    """P-02, P-28: a UDP service is probed through an http or tcp endpoint beside it."""
    with pytest.raises(ValidationError, match="protocol"):
        HealthProbeSpec.model_validate({"protocol": invented})


def test_a_udp_service_is_probed_on_another_port_over_http() -> None:
    """P-06, P-28: the probe's port need not be the service's."""
    spec = HealthProbeSpec.model_validate({"protocol": "http", "path": "/alive", "port": 9090})
    assert (spec.protocol, spec.port) == ("http", 9090)

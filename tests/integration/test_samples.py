"""Every file in manifests/samples is accepted by an API server as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from localcluster.cluster import LocalCluster

SAMPLES: Final = sorted((Path(__file__).parents[2] / "manifests" / "samples").glob("*.yaml"))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_applied_as_it_stands(
    kinds: LocalCluster, namespace: str, sample: Path
) -> None:
    said = kinds.kubectl("apply", "--validate=strict", "-n", namespace, "-f", str(sample))
    assert said.count(" created") == sample.read_text().count("\nkind:") > 0


def test_there_are_samples_for_every_kind() -> None:
    told = "".join(path.read_text() for path in SAMPLES)
    for kind in ("ScaleSet", "HealthProbe", "MaintenanceWindow", "OutboundRule"):
        assert f"kind: {kind}\n" in told

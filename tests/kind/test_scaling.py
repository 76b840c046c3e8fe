"""Sets of real pods are scaled by people and by a HorizontalPodAutoscaler."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.kind import addons
from tests.integration.alongside import alongside
from tests.integration.sets import names_of
from tests.integration.waiting import eventually
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

SCALED_S: Final = 120.0
MOST: Final = 5
LEAST: Final = 2


def await_size(world: KindWorld, size: int) -> None:
    eventually(
        lambda: len(world.everything_of("web")) == size,
        f"{size} instances",
        seconds=SCALED_S,
        told=lambda: world.told("web"),
    )
    world.await_ready("web", seconds=SCALED_S)


@alongside
def test_a_person_scales_out_and_in(world: KindWorld) -> None:
    """By `kubectl scale`; ids are never used again."""
    world.scale_set("web", 3)
    world.await_ready("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.room.kubectl("scale", "scaleset", "web", "--replicas=6")
        await_size(world, 6)
        assert names_of(world.pods("web")) == [f"web-{number}" for number in range(1, 7)]
        world.room.kubectl("scale", "scaleset", "web", "--replicas=2")
        await_size(world, 2)
        world.room.kubectl("scale", "scaleset", "web", "--replicas=3")
        await_size(world, 3)
        assert "web-7" in names_of(world.pods("web"))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


def autoscaler(memory: str) -> Json:
    """One that wants so much memory for each instance."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {
                "apiVersion": "scaleset.dev/v1alpha1",
                "kind": "ScaleSet",
                "name": "web",
            },
            "minReplicas": LEAST,
            "maxReplicas": MOST,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 0}},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "memory",
                        "target": {"type": "AverageValue", "averageValue": memory},
                    },
                }
            ],
        },
    }


@pytest.mark.timeout(400)
def test_an_autoscaler_scales_by_what_the_instances_use(
    world: KindWorld, cluster: KindCluster
) -> None:
    """It reads the scale subresource and its selector, and metrics of real pods."""
    addons.install_metrics(cluster)
    world.scale_set("web", 3)
    world.await_ready("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.room.kubectl("apply", "-f", "-", sent=json.dumps(autoscaler("500Ki")))
        await_size(world, MOST)
        world.room.kubectl("apply", "-f", "-", sent=json.dumps(autoscaler("1Gi")))
        await_size(world, LEAST)
        world.room.kubectl("delete", "hpa", "web")
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []

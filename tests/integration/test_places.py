"""Places for exacting templates, asked of a real API server and a real scheduler (M-26)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.core.maintenance_acts import HoldPlace
from tests.contract.conftest import client_of, namespace_of
from tests.contract.real_world import RealWorld
from tests.contract.worlds import FAR_FUTURE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from localcluster.cluster import LocalCluster
    from scaleset_operator.core.windowview import Place
    from scaleset_operator.reconciler.ports import Owner

RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}
REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
WEB: Final = {"matchLabels": {"app": "web"}}
PATIENCE_S: Final = 15.0
COLLECTED_S: Final = 90.0
"""The garbage collector looks for new kinds twice a minute."""


def template(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": "web:1",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"}},
        "volumeMounts": [{"name": "settings", "mountPath": "/etc/web"}],
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
    }
    volumes = [{"name": "settings", "configMap": {"name": "settings"}}]
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container], "volumes": volumes, **spec},
    }


EXACTING: Final = template(
    serviceAccountName="nobody-made-it",
    terminationGracePeriodSeconds=60,
    tolerations=[{"operator": "Exists"}],
    topologySpreadConstraints=[
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": WEB,
        }
    ],
    initContainers=[
        {"name": "migrate", "image": "web:1", "resources": {"requests": {"cpu": "20m"}}},
        {"name": "proxy", "image": "proxy:1", "restartPolicy": "Always"},
    ],
    affinity={
        "nodeAffinity": {
            REQUIRED: {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "Exists"}]},
                    {
                        "matchFields": [
                            {"key": "metadata.name", "operator": "NotIn", "values": ["x"]}
                        ]
                    },
                ]
            }
        },
    },
)
APART: Final = template(
    affinity={
        "podAntiAffinity": {
            REQUIRED: [{"topologyKey": "kubernetes.io/hostname", "labelSelector": WEB}]
        }
    }
)


@pytest.fixture
async def world(kinds: LocalCluster) -> AsyncIterator[RealWorld]:
    """A namespace in which only restricted pods may run."""
    with namespace_of(kinds) as (api, namespace):
        api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": RESTRICTED}})
        async with client_of(kinds, namespace) as (client, clock):
            real = RealWorld(api, namespace, client, clock)
            yield real
            real.unmark_nodes()


async def held(world: RealWorld, owner: Owner, number: int, *labels: tuple[str, str]) -> Place:
    """A place for an instance, once the scheduler has said something of it."""
    name = f"web-{number}"
    hold = HoldPlace(name=f"{name}-place", instance=name, model="m1", node_labels=labels)
    await world.relocations.hold_place(owner, hold, FAR_FUTURE)
    for _ in range(round(PATIENCE_S / 0.1)):
        found = await world.relocations.read_place(owner, hold.name)
        assert found is not None
        if found.node or found.refused:
            return found
        await asyncio.sleep(0.1)
    pytest.fail(f"the scheduler has said nothing in {PATIENCE_S} s")


async def test_a_place_is_admitted_where_only_restricted_pods_are(world: RealWorld) -> None:
    """M-26: whatever stands in the template; what it mounts and runs as is left out."""
    owner = await world.make_set(template=EXACTING)
    node, labels = await world.mark_node()
    assert (await held(world, owner, 1, *labels)).node == node


async def test_two_instances_that_keep_apart_get_no_two_places_on_one_node(
    world: RealWorld,
) -> None:
    """M-26: only one of them could come there."""
    owner = await world.make_set(template=APART)
    node, labels = await world.mark_node()
    assert (await held(world, owner, 1, *labels)).node == node
    second = await held(world, owner, 2, *labels)
    assert second.node is None
    assert "anti-affinity" in second.refused


async def test_a_place_goes_with_its_set(world: RealWorld) -> None:
    """M-26: nothing is left behind, not even by an operator that is gone."""
    owner = await world.make_set()
    _, labels = await world.mark_node()
    await held(world, owner, 1, *labels)
    await world.delete_set(owner)
    for _ in range(round(COLLECTED_S / 0.1)):
        if await world.pod("web-1-place") is None:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the place has outlived its set")

"""A set as the operator sees it, rebuilt from the cluster with rights in one namespace alone.

Chooses nothing; `core.retold` says what the published words mean. A HealthProbe that may not be
read is done without.
"""

from datetime import datetime

from pydantic import ValidationError

from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.kinds import HEALTH_PROBES, PODS
from scaleset_operator.cli.standing import Standing, of_one
from scaleset_operator.core.retold import Read, scene_of
from scaleset_operator.core.scene import Scene
from scaleset_operator.reconciler.ports import Key, Owner


async def scene(access: Access, namespace: str, name: str, now: datetime) -> Scene:
    """What a decision about a set would look at now.

    Raises:
        Failure: the set or its pods may not be read, or there is no such set.
    """
    found: Standing = await of_one(access, namespace, name)
    resource = found.resource
    labels = f"{LABEL_NAME}={name}"
    pods = await access.items(PODS, namespace, labels=labels)
    sorted_out = access.sort_pods(owner_of(resource), pods)
    read = Read(
        resource=resource,
        instances=sorted_out.instances,
        adoptable=sorted_out.adoptable,
        probe=await _probe(access, resource),
    )
    return scene_of(read, now)


def owner_of(resource: ScaleSet) -> Owner:
    """The set as its pods name it."""
    meta = resource.metadata
    return Owner(
        key=Key(meta.namespace, meta.name),
        uid=meta.uid,
        resource_version=meta.resource_version,
        match_labels=resource.spec.selector.match_labels,
    )


async def _probe(access: Access, resource: ScaleSet) -> HealthProbe | None:
    ref = resource.spec.health_probe_ref
    if ref is None:
        return None
    try:
        raw = await access.get(HEALTH_PROBES, resource.metadata.namespace, ref.name)
        return HealthProbe.model_validate(raw)
    except (Failure, ValidationError):
        return None

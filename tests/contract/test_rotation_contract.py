"""The port `Cluster`: the readiness gate with words of its own, and on pods that are going."""

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.plan import DeleteInstance, PublishHealth, Purpose
from scaleset_operator.reconciler.ports import Conflict, Owner
from tests.contract.worlds import (
    FAR_FUTURE,
    STUCK,
    World,
    conditions,
    creation,
    in_view,
    marked,
    running,
)
from tests.support.builders import TEMPLATE


async def deleted(world: World, owner: Owner, name: str) -> None:
    """Delete an instance in rotation as it stands; kubelet may write in between."""
    for _ in range(10):
        seen = await world.cluster.read_instance(owner, name)
        assert seen is not None
        assert seen.in_rotation is True
        victim = DeleteInstance(
            name=name,
            uid=seen.uid,
            resource_version=seen.resource_version,
            purpose=Purpose.SCALE_IN,
        )
        try:
            await world.cluster.delete_instance(owner, victim, FAR_FUTURE)
        except Conflict:
            continue
        return
    message = f"{name} changes all the time"
    raise AssertionError(message)


async def test_the_gate_bears_its_own_reason_where_another_probe_decides(world: World) -> None:
    """P-29: one patch, two conditions, each with its own words."""
    owner = await world.make_set()
    pod = await running(world, owner, creation())
    action = PublishHealth(
        name=pod.name,
        uid=pod.uid,
        health=VMHealth.HEALTHY,
        reason=Reason.ANSWERING,
        message="answers as expected",
        in_rotation=False,
        gate_reason=Reason.WRONG_STATUS,
        gate_message="HTTP 503",
    )
    await world.cluster.publish(owner, action)
    rows = conditions(await world.pod(pod.name))
    healthy, gate = rows[base.CONDITION_HEALTHY], rows[base.GATE_IN_ROTATION]
    assert (healthy["status"], healthy["reason"]) == ("True", Reason.ANSWERING)
    assert (gate["status"], gate["reason"]) == ("False", Reason.WRONG_STATUS)
    assert (healthy["message"], gate["message"]) == ("answers as expected", "HTTP 503")


async def test_a_terminating_pod_is_taken_out_of_rotation(world: World) -> None:
    """P-20: status is written on a pod whose deletion was accepted; all else on it stays."""
    owner = await world.make_set(template=marked(TEMPLATE, **{STUCK: "true"}))
    pod = await running(world, owner, creation())
    well = PublishHealth(
        name=pod.name,
        uid=pod.uid,
        health=VMHealth.HEALTHY,
        reason=Reason.ANSWERING,
        message="",
        in_rotation=True,
    )
    await world.cluster.publish(owner, well)
    await deleted(world, owner, pod.name)
    out = PublishHealth(
        name=pod.name,
        uid=pod.uid,
        health=None,
        reason=Reason.TERMINATING,
        message="it is being deleted: no new traffic",
        in_rotation=False,
    )
    await world.cluster.publish(owner, out)
    rows = conditions(await world.pod(pod.name))
    assert rows[base.GATE_IN_ROTATION]["status"] == "False"
    assert rows[base.GATE_IN_ROTATION]["reason"] == Reason.TERMINATING
    assert rows[base.CONDITION_HEALTHY]["status"] == "True"

    def told() -> bool:
        found = in_view(world, owner, pod.name)
        return found is not None and found.terminating and found.in_rotation is False

    await world.until(told)
    await world.remove(pod.name)

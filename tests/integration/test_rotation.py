"""What instances answer, and what comes of it: verdict, reason, rotation, and one write for each.

One set of instances that answer in every way there is; repairs are off, so that health is all that
moves. The tests look at what was recorded while they broke and healed, all at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.audit import AuditLog
from tests.integration.waiting import eventually, throughout
from tests.integration.world import (
    HEALTHY,
    IN_ROTATION,
    TIMEOUT_S,
    VERDICT_S,
    Word,
    moment,
    new_world,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import Json, World

BAD: Final = {
    "status:500": "WrongStatus",
    "status:503": "WrongStatus",
    "status:404": "WrongStatus",
    "status:201": "WrongStatus",
    "status:204": "WrongStatus",
    "status:206": "WrongStatus",
    "status:304": "WrongStatus",
    "redirect:301": "WrongStatus",
    "redirect:302": "WrongStatus",
    "loop": "WrongStatus",
    "binary": "MalformedAnswer",
    "close": "MalformedAnswer",
    "refuse": "ConnectionRefused",
    "hang": "ProbeTimedOut",
    "slow:8": "ProbeTimedOut",
}
"""What an instance does -> the reason of its being Unhealthy."""
GOOD: Final = ("ok", "slow:1", "body:10485760", "drip:0.05")
"""What is a success: 200, whatever the body, and however slowly it comes."""
PATCH: Final = "pods/status"


@dataclass(frozen=True, kw_only=True)
class Zoo:
    """What was seen, by script.

    Attributes:
        made, broken, healed: each pod when all had come to their verdict.
        *_writes: how often the operator patched each pod's status on the way there.
    """

    pods: dict[str, str]
    made: dict[str, Json]
    broken: dict[str, Json]
    healed: dict[str, Json]
    made_writes: Counter[str]
    broken_writes: Counter[str]
    healed_writes: Counter[str]
    status: Json


def settled(world: World, unhealthy: int) -> dict[str, Json]:
    """The pods by name, once so many are Unhealthy and every Ready has followed."""

    def look() -> dict[str, Json]:
        pods = {pod["metadata"]["name"]: pod for pod in world.pods("zoo")}
        found = [pod for pod in pods.values() if word(pod, HEALTHY).status == "False"]
        follows = [word(p, "Ready").status == word(p, IN_ROTATION).status for p in pods.values()]
        return pods if len(found) == unhealthy and all(follows) else {}

    return eventually(look, f"{unhealthy} are Unhealthy", seconds=VERDICT_S)


def writes(audit: AuditLog, world: World) -> Counter[str]:
    return Counter(r.name for r in audit.writes(PATCH) if r.namespace == world.namespace)


@pytest.fixture(scope="module")
def zoo(operator: OperatorProcess) -> Iterator[Zoo]:
    """Made, broken and healed, with a little while after each in which nothing may be written."""
    scripts = [*BAD, *GOOD]
    with new_world(operator.cluster, "zoo") as world:
        audit = AuditLog(operator.cluster.audit_log)
        world.scale_set("zoo", len(scripts))
        world.await_ready("zoo")
        made, made_writes = settled(world, 0), writes(audit, world)
        audit.mark()
        cast = dict(zip(scripts, sorted(made), strict=True))
        for script, name in cast.items():
            world.endpoints.tell([made[name]], script)
        broken = settled(world, len(BAD))
        status = world.await_status(
            "zoo", lambda s: s["unhealthyReplicas"] == len(BAD), "status counts them"
        )
        throughout(2 * TIMEOUT_S / 3, lambda: None)
        broken_writes = writes(audit, world)
        audit.mark()
        world.endpoints.heal(made.values())
        healed = settled(world, 0)
        healed_writes = writes(audit, world)
        yield Zoo(
            pods=cast,
            made=made,
            broken=broken,
            healed=healed,
            made_writes=made_writes,
            broken_writes=broken_writes,
            healed_writes=healed_writes,
            status=status,
        )


def health(pod: Json) -> Word:
    return word(pod, HEALTHY)


@pytest.mark.parametrize("script", BAD)
def test_an_instance_that_does_not_answer_200_is_unhealthy_for_a_reason(
    zoo: Zoo, script: str
) -> None:
    """R-03, R-04, R-09, P-11, P-14: 200 alone is healthy, redirects are not followed; the reason
    tells a wrong answer, nonsense, a refusal and silence apart, on the pod and in status."""
    pod = zoo.broken[zoo.pods[script]]
    assert health(pod).status == "False"
    assert health(pod).reason == BAD[script]
    assert health(pod).message
    row = next(r for r in zoo.status["unhealthyInstances"] if r["name"] == pod["metadata"]["name"])
    assert (row["vmHealth"], row["repairDecision"]) == ("Unhealthy", "Skipped")
    assert row["reason"] == "Disabled"


@pytest.mark.parametrize("script", GOOD)
def test_200_is_healthy_whatever_its_body_and_pace(zoo: Zoo, script: str) -> None:
    """R-03, P-14: ten megabytes are not read, a body that drips is not waited for."""
    pod = zoo.broken[zoo.pods[script]]
    assert health(pod)[:2] == ("True", "Answering")
    assert word(pod, "Ready").status == "True"


def test_rotation_follows_the_probe_and_ready_follows_rotation(zoo: Zoo) -> None:
    """P-16, P-17, P-18: out with the verdict, back with the first success; nothing is deleted,
    although the containers of all are ready throughout."""
    for script in BAD:
        name = zoo.pods[script]
        for pods, expected in ((zoo.made, "True"), (zoo.broken, "False"), (zoo.healed, "True")):
            assert word(pods[name], IN_ROTATION).status == expected
            assert word(pods[name], "Ready").status == expected
            assert word(pods[name], "ContainersReady").status == "True"
    before = {name: pod["metadata"]["uid"] for name, pod in zoo.made.items()}
    assert {name: pod["metadata"]["uid"] for name, pod in zoo.healed.items()} == before


def test_one_change_of_health_is_one_write_to_the_pod(zoo: Zoo) -> None:
    """P-16: by the API server's own log; one more for none, and none for those that answer as
    before."""
    sick = {zoo.pods[script]: 1 for script in BAD}
    assert zoo.made_writes == dict.fromkeys(zoo.made, 1)
    assert zoo.broken_writes == sick
    assert zoo.healed_writes == sick


def test_a_verdict_takes_a_whole_timeout_without_success(zoo: Zoo) -> None:
    """P-12, P-13: no instance was Unhealthy before a timeout had passed since it was Healthy."""
    for script in BAD:
        name = zoo.pods[script]
        times = [
            next(c for c in pods[name]["status"]["conditions"] if c["type"] == HEALTHY)
            for pods in (zoo.made, zoo.broken)
        ]
        was, became = (moment(c["lastTransitionTime"]) for c in times)
        assert (became - was).total_seconds() >= TIMEOUT_S - 1

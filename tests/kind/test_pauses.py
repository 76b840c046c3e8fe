"""A pause in place of real pods: they stand still, and go on as the processes that they were."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.kind import config
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE
from tests.integration.maintained import clock, seven_names, tier
from tests.integration.sets import domain, names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.pods import GATE, condition, container, process
from tests.kind.test_service import expose, served
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.sets import Json
    from tests.kind.agents import Agents
    from tests.kind.world import KindWorld

SIZE: Final = 4
DOMAINS: Final = 2
PAUSE_S: Final = 30.0
LATE_S: Final = 8.0
"""A look takes its time, on a machine with much else to do."""
BEGUN_S: Final = 90.0
OVER_S: Final = 120.0
FROZEN: Final = """\
for group in $(find /sys/fs/cgroup -type d -name "*pod$1*" -o -type d -name "*pod$2*"); do
    if [ -e "$group/freezer.state" ]; then cat "$group/freezer.state"; fi
    if [ -e "$group/cgroup.events" ]; then grep frozen "$group/cgroup.events"; fi
done
"""
"""What the kernel says of a pod's groups: by the freezer of version 1, or by version 2."""
GUARD: Final = 'pgrep --full "[a]gent.thawer .*$1" || true'

pytestmark = pytest.mark.timeout(420)


@dataclass
class Seen:
    """What was seen of the pauses, by the instances' names.

    Attributes:
        begun: when each was first seen to stand still, in seconds of the monotonic clock.
        over: when it was first seen to go on.
        in_rotation: asked to stand still while it was in rotation, or served.
    """

    begun: dict[str, float] = field(default_factory=dict)
    over: dict[str, float] = field(default_factory=dict)
    in_rotation: list[str] = field(default_factory=list)

    def look(self, world: KindWorld) -> None:
        """Look once."""
        # First: who is served now must not stand still a moment later.
        reached = served(world, "web")
        for pod in world.pods("web"):
            name = pod["metadata"]["name"]
            if ANNOTATION_PAUSE not in pod["metadata"].get("annotations", {}):
                if name in self.begun:
                    self.over.setdefault(name, time.monotonic())
                continue
            if condition(pod, GATE) == "True":
                self.in_rotation.append(name)
            if stands_still(world, pod):
                self.begun.setdefault(name, time.monotonic())
                if pod["status"]["podIP"] in reached:
                    self.in_rotation.append(name)
            elif name in self.begun:
                self.over.setdefault(name, time.monotonic())

    def until(self, world: KindWorld, holds: Callable[[], bool], what: str, within: float) -> None:
        """Look until it holds."""

        def done() -> bool:
            self.look(world)
            return holds()

        def told() -> str:
            rows = [seven_names(world, name) for name in self.begun]
            return f"{self}\n{rows}\n{world.events('web')}\n{world.told('web')}"

        eventually(done, what, seconds=within, told=told)


def stands_still(world: KindWorld, pod: Json) -> bool:
    """Whether the kernel says that all of a pod stands still."""
    uid = pod["metadata"]["uid"]
    said = world.room.on_node(pod, "sh", "-c", FROZEN, "sh", uid, uid.replace("-", "_"))
    return "FROZEN" in said.split("\n") or "frozen 1" in said.split("\n")


def guards(world: KindWorld, pod: Json) -> set[str]:
    """The processes that will thaw it."""
    return set(world.room.on_node(pod, "sh", "-c", GUARD, "sh", pod["metadata"]["uid"]).split())


def identity(world: KindWorld, pod: Json) -> tuple[str, ...]:
    """What a pause keeps: the pod, its address and container, the process and when it began."""
    number = process(pod, partial(world.room.on_node, pod))
    began = world.room.on_node(pod, "cat", f"/proc/{number}/stat").rpartition(")")[2].split()[19]
    status = container(pod)
    kept = pod["metadata"]["uid"], pod["status"]["podIP"], status["containerID"]
    return *kept, str(status["restartCount"]), number, began


def test_a_domain_stands_still_and_goes_on_though_its_agent_is_killed(
    world: KindWorld, agents: Agents
) -> None:
    """M-02, M-04, M-11: out of rotation first, one domain at a time, same processes, none repaired,
    and thawed in time by whoever is left."""
    expose(world, "web")
    pace = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100 // DOMAINS}}
    repairs = {"gracePeriod": "PT30S"}
    world.scale_set("web", SIZE, updateDomainCount=DOMAINS, upgradePolicy=pace, repairs=repairs)
    tier(world, "web", "web")
    world.await_ready("web", seconds=BEGUN_S)
    for node in config.nodes():
        eventually(partial(agents.report, node), f"the agent of {node} reports")
    before = {pod["metadata"]["name"]: pod for pod in world.pods("web")}
    kept = {name: identity(world, pod) for name, pod in before.items()}
    seen = Seen()
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        announce(world)
        seen.until(world, lambda: len(seen.begun) == SIZE // DOMAINS, "they stand still", BEGUN_S)
        assert len({domain(before[name]) for name in seen.begun}) == 1, "one domain at a time"
        first = before[min(seen.begun)]
        guarded_by = guards(world, first)
        agents.kill(first["spec"]["nodeName"])
        assert len(guarded_by) == 1
        assert guarded_by <= guards(world, first), "it was not in the agent's container"
        assert first["metadata"]["name"] not in seen.over
        seen.until(world, lambda: len(seen.over) == SIZE // DOMAINS, "they go on", OVER_S)
        assert len(seen.begun) == SIZE // DOMAINS, "the next domain waits"
        paused = [before[name] for name in seen.begun]
        for pod in paused:
            name = pod["metadata"]["name"]
            lasted = seen.over[name] - seen.begun[name]
            assert PAUSE_S - LATE_S <= lasted <= PAUSE_S + LATE_S, (name, lasted)
            assert world.room.ask(pod, "/healthz").status == 200
        completed = partial(all_completed, world, names_of(paused))
        seen.until(world, completed, "they are done", OVER_S)
    after = {pod["metadata"]["name"]: pod for pod in world.pods("web")}
    assert {name: identity(world, pod) for name, pod in after.items()} == kept
    assert seen.in_rotation == []
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []
    assert uids_of(after.values()) == uids_of(before.values())


def announce(world: KindWorld) -> None:
    """Make the window that pauses the set, open in a moment."""
    spec = {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "impact": "Pause",
        "notifyBefore": "PT1H",
        "once": {"scheduled": {"startTime": clock(2), "endTime": clock(300)}},
        "updateDomains": {"pauseBetween": "PT0S"},
    }
    world.create("MaintenanceWindow", "pause", spec)


def all_completed(world: KindWorld, names: list[str]) -> bool:
    """Whether the pause of each is over, and well."""
    said = [seven_names(world, name) for name in names]
    codes = [one.get("lastOperationResultCode", "None") for one in said]
    assert set(codes) <= {"None", "MaintenanceCompleted"}, (said, world.told("web"))
    return set(codes) == {"MaintenanceCompleted"}

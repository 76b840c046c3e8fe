"""Scheduled events of two replicas: both tell the same, one writes, and the number only rises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.chaos.replicas import Replicas
from tests.integration.waiting import eventually
from tests.integration.world import VERDICT_S, uids_of
from tests.support.auditor_watch import AuditorWatch
from tests.support.event_asker import Heard, approve, ask

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.chaos.replicas import Replica
    from tests.integration.world import Json, World

NOTICE: Final = {"enable": True, "notBeforeTimeout": "PT10M"}
ASK_S: Final = 1.0
KILLED_S: Final = 20.0
SERVED: Final = re.compile(r"scheduled events are served on port (\d+)")

pytestmark = pytest.mark.timeout(150)


def hear(replica: Replica, pod: Json) -> Heard:
    """What this replica tells an instance."""
    return ask(port_of(replica), pod["status"]["podIP"])


def port_of(replica: Replica) -> int:
    """Where its present run serves them: a free port, which is logged."""
    *_, found = SERVED.findall(replica.process.log.read_text(encoding="utf-8"))
    return int(found)


def test_both_replicas_tell_the_same_and_the_leader_alone_writes(
    world: World, kinds: LocalCluster, tmp_path: Path
) -> None:
    """R-17, R-54, V-30: the standby reads and declines; the next leader goes on from there."""
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        Replicas(kinds, world, tmp_path, "--events-port", "0") as replicas,
    ):
        repairs = {"gracePeriod": "PT0S"}
        world.scale_set("web", 3, repairs=repairs, terminateNotificationProfile=NOTICE)
        world.await_ready("web")
        leader, standby = replicas.in_order()
        sick, peer, _ = world.pods("web")
        world.endpoints.tell([sick], "status:500")
        (event,) = eventually(
            lambda: hear(leader, peer).events, "it is told", seconds=VERDICT_S, every=ASK_S
        )
        told = hear(leader, peer)
        eventually(lambda: hear(standby, peer).body == told.body, "word for word", every=ASK_S)
        declined = approve(port_of(standby), peer["status"]["podIP"], event["EventId"])
        assert (declined.status, declined.code) == (503, "StandingBy")
        assert standby.wrote() == []
        holder = replicas.holder()
        leader.process.kill()
        replicas.taken_over_within(KILLED_S, holder)
        assert hear(standby, peer).body == told.body, "neither restart nor takeover is a change"
        eventually(
            lambda: (
                approve(port_of(standby), peer["status"]["podIP"], event["EventId"]).status == 200
            ),
            "the new leader approves",
            every=ASK_S,
        )
        eventually(lambda: not uids_of(world.pods("web")) & uids_of([sick]), "it goes")
        eventually(lambda: hear(standby, peer).events == [], "it is over", every=ASK_S)
        assert hear(standby, peer).number > told.number
        world.await_ready("web")
        assert not (faults := standby.process.faults()), faults[0]
    assert watch.auditor.violations() == [], watch.auditor.summary()

"""Runs of the live operator, recorded, and replayed in virtual time with the same acts.

Must not know: what any act should be; only that both do the same.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from scaleset_operator.rehearsal.comparison import carried_out
from scaleset_operator.rehearsal.recording import Recording, read_recording
from scaleset_operator.rehearsal.replay import Replay
from tests.integration.maintained import announce, ask, iteration, nodes_of, seven_names
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.test_maintenance import old_sets, one_updated_node
from tests.integration.waiting import eventually
from tests.integration.world import VERDICT_S, names_of, new_world, template, uids_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.integration.world import World

REPAIRS = {"gracePeriod": "PT20S"}


class Recorded:
    """An operator that records, and a namespace that it serves."""

    def __init__(self, world: World, operator: OperatorProcess, file: Path) -> None:
        self.world = world
        self._operator = operator
        self._file = file

    def recording(self) -> Recording:
        """What it has written when it is killed: a recording waits for no kind end."""
        self._operator.kill()
        assert self._operator.faults() == []
        with self._file.open(encoding="utf-8") as lines:
            return read_recording(lines)


@pytest.fixture
def recorded(kinds: LocalCluster, tmp_path: Path) -> Iterator[Recorded]:
    """One for this test alone, in a namespace of its own."""
    file = tmp_path / "recording"
    with new_world(kinds, "replay") as world:
        options = ("--namespace", world.namespace, "--record", str(file))
        with OperatorProcess(kinds, tmp_path, *options) as process:
            yield Recorded(world, process, file)


@pytest.fixture
def bad_by_default(recorded: Recorded) -> Iterator[None]:
    """Whatever nobody told otherwise answers 500 once it is said; afterwards no longer."""
    yield
    recorded.world.cluster.responder.clear("default")


def expect_same(recording: Recording, **least: int) -> None:
    """The replay does the same, and what was recorded has at least so many acts of some kinds."""
    kinds = Counter(act.kind.value for act in carried_out(recording.acts))
    assert all(kinds[kind] >= count for kind, count in least.items()), kinds
    replay = Replay(recording)
    asyncio.run(replay.run())
    assert replay.difference() is None


def test_batches_with_one_that_recovers_are_replayed(recorded: Recorded) -> None:
    """X-12."""
    world = recorded.world
    world.scale_set("web", 10, repairs={"gracePeriod": "PT40S"})
    world.await_ready("web")
    sick = world.pods("web")[2:6]
    world.endpoints.tell(sick, "status:500")
    world.await_reason("web", sick[0], "InGracePeriod")
    world.endpoints.tell(sick[:1], "status:200")
    eventually(
        lambda: not uids_of(world.pods("web")) & uids_of(sick[1:]),
        "the others are replaced",
        seconds=120,
    )
    world.await_ready("web")
    world.await_status("web", lambda s: not s["repairs"]["inFlight"], "all are closed")
    assert names_of(sick[:1])[0] in names_of(world.pods("web"))
    expect_same(recorded.recording(), Begin=3, End=3, Delete=3, Create=13)


def test_the_silence_of_a_whole_set_and_its_witness_are_replayed(recorded: Recorded) -> None:
    """X-12: with the NetworkPolicy that is blamed for it at first."""
    world = recorded.world
    path = f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    world.api.create(path, {"metadata": {"name": "deny-all"}, "spec": {"podSelector": {}}})
    world.scale_set("web", 4, repairs=REPAIRS)
    world.await_ready("web")
    silent = world.pods("web")
    world.endpoints.tell(silent, "hang")
    eventually(
        lambda: len(world.pods("web")) > len(silent),
        "a witness is made",
        seconds=60 + 2 * VERDICT_S,
    )
    eventually(
        lambda: len(uids_of(world.pods("web")) & uids_of(silent)) < len(silent) - 1,
        "the dead are replaced",
        seconds=120,
    )
    recording = recorded.recording()
    assert "ProbeBlocked" in {act.reason for act in recording.acts}
    expect_same(recording, Doubt=2, Begin=2, Delete=2)


@pytest.mark.usefixtures("bad_by_default")
def test_a_bad_image_that_is_stopped_beside_a_repair_is_replayed(recorded: Recorded) -> None:
    """X-12."""
    world = recorded.world
    limits = {"maxBatchInstancePercent": 20, "maxUnhealthyInstancePercent": 20}
    world.scale_set(
        "web",
        10,
        repairs=REPAIRS,
        upgradePolicy={"mode": "Rolling", "rollingUpgradePolicy": limits},
    )
    world.await_ready("web")
    old = world.pods("web")
    world.endpoints.tell(old[1:], "ok")
    world.endpoints.tell(old[:1], "status:500")
    world.cluster.responder.set("default", "status:500")
    world.change("web", template=template("web", image="web:bad"))
    world.await_word("web", "InstancesUpToDate", "False", "RolloutStopped")
    expect_same(recorded.recording(), Take=2, Delete=2)


def test_a_window_that_moves_a_set_to_another_node_is_replayed(recorded: Recorded) -> None:
    """X-12: with the places that were held and what an owner asked for."""
    world = recorded.world
    old_sets(world, "web", size=4, domains=2)
    with one_updated_node(world) as new:
        announce(world, "patch", "web", ask=8, work=600)
        first = names_of(world.pods("web"))[0]
        eventually(lambda: seven_names(world, first), "it is included")
        ask(world, first, "patch")
        eventually(lambda: nodes_of(world, "web") == {new}, "all are moved", seconds=120)
        eventually(lambda: iteration(world, "web").get("completed") == 4, "all are done")
    expect_same(recorded.recording(), Move=4, Hold=4, Evict=4, Free=4, Moved=4, Create=8)

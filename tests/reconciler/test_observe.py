"""What a decision is made from: the probe in force, what is watched, and who stands near."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Observed, Outcome
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.observe import Observer
from scaleset_operator.reconciler.ports import Key, ProbeTarget
from scaleset_operator.reconciler.watching import declared_ports
from scaleset_operator.rehearsal.endpoints import HANG, STATUS_500
from scaleset_operator.rehearsal.probes import FakeProbes
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE, probe_spec, set_spec


class NotedProbes(FakeProbes):
    """Keeps what it was told to watch."""

    told: list[tuple[Key, Mapping[str, ProbeTarget]]]

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        self.told.append((owner, targets))
        super().watch(owner, targets)


class Looking:
    """A set of three that has come up, and an observer of its own beside the operator."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.memory = Memory()
        self.probes = NotedProbes(self.stage.clock, self.stage.world.endpoints)
        self.probes.told = []
        self.operator = self.stage.operator

    def look(self, key: Key = KEY) -> Observed:
        self.operator.hear()
        known = self.operator.resources.scale_set(key)
        assert known is not None
        observer = Observer(
            self.operator.resources,
            self.operator.cluster,
            self.probes,
            self.operator.reconciler.fleet,
        )
        now = self.stage.clock.now()
        return observer.observe(known, self.memory, frozenset(), listed=False, now=now)

    def set_probe(self, **changes: Any) -> None:
        spec = {name: v for name, v in probe_spec(**changes).items() if v is not None}
        self.stage.server.apply("HealthProbe", NAMESPACE, "web-http", spec)

    def declare(self, *ports: int) -> None:
        template = set_spec(3)["template"]
        container = {
            "name": "web",
            "image": "web:1",
            "ports": [{"containerPort": port} for port in ports],
        }
        self.stage.change_spec(template={**template, "spec": {"containers": [container]}})


@pytest.fixture
async def looking() -> Looking:
    looking = Looking()
    await looking.stage.run(30)
    return looking


async def test_the_prober_is_told_only_what_is_new(looking: Looking) -> None:
    for _ in range(5):
        looking.look()
        looking.stage.clock.advance(5)
    ((owner, targets),) = looking.probes.told
    assert owner == KEY
    assert targets.keys() == {pod.uid for pod in looking.stage.world.live()}
    assert {target.key.port for target in targets.values()} == {8080}


async def test_an_edited_probe_is_told_and_its_evidence_starts_anew(looking: Looking) -> None:
    """P-25."""
    looking.look()
    looking.stage.clock.advance(20)
    before = looking.look().evidence
    looking.set_probe(path="/ready")
    after = looking.look().evidence
    assert len(looking.probes.told) == 2
    assert all(one.outcome is Outcome.OK for one in before.values())
    assert before.keys() == after.keys()
    assert all(one.outcome is None for one in after.values())


async def test_a_pod_on_its_way_out_is_watched_no_longer(looking: Looking) -> None:
    looking.look()
    pod = looking.stage.pod("web-1")
    looking.stage.server.delete_pod(NAMESPACE, "web-1")
    observed = looking.look()
    assert pod.uid not in looking.probes.told[-1][1]
    assert pod.uid not in observed.evidence
    assert len(looking.probes.told) == 2


async def test_a_pod_without_an_address_is_not_watched(looking: Looking) -> None:
    looking.stage.change_spec(replicas=4)
    await looking.stage.turn()
    observed = looking.look()
    assert len(observed.instances) == 4
    assert len(looking.probes.told[-1][1]) == 3


async def test_a_deleted_probe_is_named_and_nothing_is_watched(looking: Looking) -> None:
    """R-02, P-24."""
    looking.look()
    looking.stage.server.delete_resource("HealthProbe", NAMESPACE, "web-http")
    observed = looking.look()
    assert observed.probe is not None
    assert observed.probe.fault is Reason.PROBE_NOT_FOUND
    assert "web-http" in observed.probe.fault_message
    assert looking.probes.told[-1] == (KEY, {})
    assert observed.evidence == {}


async def test_a_probe_that_is_being_deleted_counts_as_deleted(looking: Looking) -> None:
    """P-24."""
    raw = looking.stage.server.resource("HealthProbe", NAMESPACE, "web-http")
    looking.operator.hear()
    metadata = {**raw["metadata"], "deletionTimestamp": "2026-11-21T08:00:00Z"}
    looking.operator.resources.put_probe({**raw, "metadata": metadata})
    known = looking.operator.resources.scale_set(KEY)
    assert known is not None
    observer = Observer(
        looking.operator.resources,
        looking.operator.cluster,
        looking.probes,
        looking.operator.reconciler.fleet,
    )
    observed = observer.observe(
        known, looking.memory, frozenset(), listed=False, now=looking.stage.clock.now()
    )
    assert observed.probe is not None
    assert observed.probe.fault is Reason.PROBE_NOT_FOUND


async def test_a_probe_that_cannot_be_read_says_what_is_wrong_with_it(looking: Looking) -> None:
    """X-11: the message fits into a condition, however long the fault is."""
    raw = looking.stage.server.resource("HealthProbe", NAMESPACE, "web-http")
    newer = {**raw["metadata"], "resourceVersion": "999999"}
    spec = {**raw["spec"], "protocol": "smoke", **{f"field{n}": n for n in range(100)}}
    looking.operator.resources.put_probe({**raw, "metadata": newer, "spec": spec})
    await looking.stage.reconciler.turn(KEY)
    looking.stage.clock.advance(3)
    await looking.stage.reconciler.turn(KEY)
    accepted = looking.stage.condition("Accepted")
    assert accepted["reason"] == Reason.PROBE_NOT_FOUND
    assert "protocol" in accepted["message"] or "field0" in accepted["message"]


async def test_a_set_without_a_probe_watches_nothing(looking: Looking) -> None:
    """P-23, P-19."""
    looking.look()
    looking.stage.change_spec(healthProbeRef=None, automaticRepairsPolicy=None)
    observed = looking.look()
    assert observed.probe is None
    assert looking.probes.told[-1] == (KEY, {})


@pytest.mark.parametrize(
    ("declared", "port"), [((9000,), 9000), ((9000, 9000), 9000), ((), None), ((9000, 9001), None)]
)
async def test_without_a_port_the_template_must_declare_exactly_one(
    looking: Looking, declared: tuple[int, ...], port: int | None
) -> None:
    """P-05."""
    looking.set_probe(port=None)
    looking.declare(*declared)
    observed = looking.look()
    assert observed.probe is not None
    if port is None:
        assert observed.probe.fault is Reason.AMBIGUOUS_PORT
        assert f"declares {len(declared)}" in observed.probe.fault_message
        assert looking.probes.told == []
    else:
        assert observed.probe.fault is None
        assert {t.key.port for t in looking.probes.told[-1][1].values()} == {port}


async def test_the_probes_port_may_be_another_than_the_templates(looking: Looking) -> None:
    """P-06."""
    looking.declare(9000)
    looking.look()
    assert {t.key.port for t in looking.probes.told[-1][1].values()} == {8080}


async def test_a_template_with_nothing_in_it_declares_no_port(looking: Looking) -> None:
    looking.look()
    known = looking.operator.resources.scale_set(KEY)
    assert known is not None
    for template in ({}, {"spec": None}, {"spec": {"containers": None}}):
        looking.stage.change_spec(template=template)
        looking.operator.hear()
        changed = looking.operator.resources.scale_set(KEY)
        assert changed is not None
        assert declared_ports(changed) == []


async def test_the_times_of_the_probe_in_force_are_told(looking: Looking) -> None:
    looking.set_probe(intervalInSeconds=7, timeoutInSeconds=20)
    probe = looking.look().probe
    assert probe is not None
    assert (probe.interval, probe.timeout) == (timedelta(seconds=7), timedelta(seconds=20))


async def test_neighbours_are_told_of_nodes_that_carry_a_silent_instance(looking: Looking) -> None:
    """X-05, protocol rules 16 and 17."""
    looking.look()
    looking.stage.clock.advance(20)
    assert looking.look().neighbours == {}
    looking.stage.world.endpoints.set(looking.stage.pod("web-2").uid, STATUS_500)
    looking.stage.clock.advance(20)
    assert looking.look().neighbours == {}
    pod = looking.stage.pod("web-1")
    looking.stage.world.endpoints.set(pod.uid, HANG)
    looking.stage.clock.advance(20)
    ((node, near),) = looking.look().neighbours.items()
    assert node == pod.node
    assert [(n.uid, n.silent) for n in near if n.uid == pod.uid] == [(pod.uid, True)]


async def test_neighbours_of_other_sets_on_the_node_count_as_well(looking: Looking) -> None:
    """X-05, protocol rule 17: of any set."""
    stage = looking.stage
    spec = set_spec(6)
    spec["selector"] = {"matchLabels": {"app": "api"}}
    spec["template"]["metadata"] = {"labels": {"app": "api"}}
    other = Key(NAMESPACE, "api")
    stage.server.apply("ScaleSet", *other, spec)
    for _ in range(20):
        stage.clock.advance(1)
        await stage.turn(other)
    looking.look()
    looking.memory, mine = Memory(), looking.memory
    looking.look(other)
    looking.memory = mine
    silent = stage.pod("web-1")
    stage.world.endpoints.set(silent.uid, HANG)
    stage.clock.advance(20)
    near = looking.look().neighbours[str(silent.node)]
    there = {p.uid for p in stage.server.pods(NAMESPACE) if p.node == silent.node and p.live}
    assert {n.uid for n in near} == there
    assert len(there) > 1
    assert [n.uid for n in near if n.silent] == [silent.uid]


async def test_a_node_that_is_not_ready_is_told(looking: Looking) -> None:
    node = str(looking.stage.pod("web-1").node)
    assert looking.look().nodes[node] is True
    looking.stage.server.set_node(node, ready=False)
    assert looking.look().nodes[node] is False


async def test_a_view_that_is_cut_off_is_not_fresh(looking: Looking) -> None:
    """X-07."""
    assert looking.look().view_is_fresh
    looking.operator.cluster.view.cut()
    looking.stage.clock.advance(11)
    assert not looking.look().view_is_fresh


async def test_pods_that_ended_by_themselves_are_remembered(looking: Looking) -> None:
    looking.stage.world.kubelet.die(looking.stage.pod("web-1"))
    looking.stage.clock.advance(1)
    at = looking.stage.clock.now()
    assert looking.look().recently_over == (at,)
    looking.stage.server.remove_pod(looking.stage.pod("web-1"))
    looking.stage.clock.advance(60)
    assert looking.look().recently_over == (at,)

"""The prober's reports as evidence: whose they are, when they were, and who is woken."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.adapters import probes
from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.evidence import TargetEvidence, TargetSpec
from scaleset_operator.adapters.prober.link import ProberState
from scaleset_operator.adapters.prober.wire import ReferenceState
from scaleset_operator.adapters.probes import ProberProbes
from scaleset_operator.api.healthprobe import HealthProbeSpec, Protocol
from scaleset_operator.core.observed import Evidence, Neighbour, Outcome, ProberView
from scaleset_operator.reconciler.ports import Key, ProbeKey, ProbeTarget, for_rotation
from tests.adapters.prober.conftest import until
from tests.adapters.prober.servers import OK, Server, answering
from tests.support.builders import T0, raw_probe

WEB, API = Key("shop", "web"), Key("shop", "api")
SECOND = 1_000_000_000
REACHED = ReferenceState(reachable=True, last_success=1, last_ended=1)


class Calendar:
    """CLOCK_BOOTTIME 0 is T0."""

    def at(self, boottime_ns: int) -> datetime:
        return T0 + timedelta(microseconds=boottime_ns / 1_000)


class FakeLink:
    """Stands where `ProberLink` does: the test says what it reports."""

    def __init__(
        self, *, on_change: Callable[[Hashable], None], on_state: Callable[[], None]
    ) -> None:
        self.on_change = on_change
        self.on_state = on_state
        self.specs: dict[Hashable, TargetSpec] = {}
        self.found: dict[Hashable, TargetEvidence] = {}
        self.calls: list[tuple[str, Hashable]] = []
        self.references: Sequence[tuple[str, int]] = ()
        self.now = ProberState(pid=1, starts=1, beating_since=None, heartbeat=None, references=())

    def start(self) -> None:
        self.calls.append(("start", self.references))

    async def close(self) -> None:
        self.calls.append(("close", None))

    def set_references(self, addresses: Sequence[tuple[str, int]]) -> None:
        self.references = tuple(addresses)

    def set_target(self, key: Hashable, spec: TargetSpec) -> None:
        self.calls.append(("set", key))
        self.specs[key] = spec
        self.found[key] = TargetEvidence(
            ip=spec.ip, probe_key=spec.probe_key, watched_since=5 * SECOND
        )

    def drop_target(self, key: Hashable) -> None:
        self.calls.append(("drop", key))
        del self.specs[key], self.found[key]

    def evidence(self, key: Hashable) -> TargetEvidence | None:
        return self.found.get(key)

    def state(self) -> ProberState:
        return self.now


class Wired:
    """The port over a fake link, and whom it woke."""

    def __init__(self) -> None:
        self.woken: list[Key] = []
        self.probes = ProberProbes(Calendar(), self.woken.append)
        link = self.probes._link  # noqa: SLF001 - the fake's script
        assert isinstance(link, FakeLink)
        self.link = link


@pytest.fixture
def wired(monkeypatch: pytest.MonkeyPatch) -> Wired:
    monkeypatch.setattr(probes, "ProberLink", FakeLink)
    return Wired()


def target(uid: str, *, ip: str = "127.0.0.1", generation: int = 1, **spec: Any) -> ProbeTarget:
    values = {name: v for name, v in raw_probe(**spec).items() if v is not None}
    return ProbeTarget(
        pod_uid=uid,
        ip=ip,
        key=ProbeKey(probe_uid="p", generation=generation, port=8080),
        spec=HealthProbeSpec.model_validate(values),
    )


def targets(*uids: str, **fields: Any) -> dict[str, ProbeTarget]:
    return {uid: target(uid, **fields) for uid in uids}


def test_a_target_is_told_with_its_address_and_rules(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a", ip="10.0.0.7"))
    assert wired.link.specs["a"] == TargetSpec(
        pod_uid="a",
        ip="10.0.0.7",
        probe_key=ProbeKey(probe_uid="p", generation=1, port=8080),
        protocol=Protocol.HTTP,
        port=8080,
        path="/healthz",
        interval=5.0,
        timeout=11.0,
    )


def test_a_tcp_target_has_no_path(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a", protocol="tcp", path=None))
    assert (wired.link.specs["a"].protocol, wired.link.specs["a"].path) == (Protocol.TCP, "")


def test_only_differences_are_told(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a", "b", "c"))
    wired.link.calls.clear()
    wired.probes.watch(WEB, targets("a", "b", "c"))
    assert wired.link.calls == []
    changed = targets("a") | targets("b", generation=2) | targets("d")
    wired.probes.watch(WEB, changed)
    assert wired.link.calls == [("drop", "c"), ("set", "b"), ("set", "d")]


def test_a_pod_that_another_set_has_taken_over_is_not_dropped_by_the_first(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a", "b"))
    wired.probes.watch(API, targets("a"))
    wired.probes.watch(WEB, targets("b"))
    assert wired.link.specs.keys() == {"a", "b"}
    wired.link.on_change("a")
    assert wired.woken == [API]


def test_an_empty_list_drops_all_of_the_sets_pods(wired: Wired) -> None:
    """P-23: nobody uses the probe, so no request is sent."""
    wired.probes.watch(WEB, targets("a", "b"))
    wired.probes.watch(API, targets("c"))
    wired.probes.watch(WEB, {})
    assert wired.link.specs.keys() == {"c"}
    assert wired.probes.evidence("a") is None
    assert wired.probes.neighbour("a") is None
    wired.link.on_state()
    assert wired.woken == [API]


def test_a_pod_nobody_asked_for_is_not_known(wired: Wired) -> None:
    """P-30."""
    assert wired.probes.evidence("a") is None
    assert wired.probes.neighbour("a") is None
    wired.link.on_change("a")
    assert wired.woken == []


def test_a_change_of_outcome_wakes_the_set_it_concerns(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a"))
    wired.probes.watch(API, targets("b"))
    wired.link.on_change("b")
    assert wired.woken == [API]


def test_a_change_of_the_probers_state_wakes_every_set(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a"))
    wired.probes.watch(API, targets("b"))
    wired.link.on_state()
    assert wired.woken == [WEB, API]


def test_evidence_is_told_in_the_operators_time(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a"))
    assert wired.probes.evidence("a") == Evidence(watched_since=T0 + timedelta(seconds=5))
    wired.link.found["a"] = replace(
        wired.link.found["a"],
        last_begun=20 * SECOND,
        last_ended=21 * SECOND,
        outcome=Outcome.TIMED_OUT,
        status=0,
        last_success=10 * SECOND,
        last_success_begun=9 * SECOND,
        answering_since=6 * SECOND,
        failing_since=16 * SECOND,
        silent_since=17 * SECOND,
        sequence=4,
    )
    assert wired.probes.evidence("a") == Evidence(
        watched_since=T0 + timedelta(seconds=5),
        last_begun=T0 + timedelta(seconds=20),
        last_ended=T0 + timedelta(seconds=21),
        outcome=Outcome.TIMED_OUT,
        last_success=T0 + timedelta(seconds=10),
        answering_since=T0 + timedelta(seconds=6),
        failing_since=T0 + timedelta(seconds=16),
        silent_since=T0 + timedelta(seconds=17),
    )
    near = wired.probes.neighbour("a")
    assert near == Neighbour(uid="a", silent=True, last_ended=T0 + timedelta(seconds=21))


def test_evidence_is_translated_once_for_each_outcome(wired: Wired) -> None:
    wired.probes.watch(WEB, targets("a"))
    first = wired.probes.evidence("a")
    assert wired.probes.evidence("a") is first
    # The link takes outcomes into the object it gave out before.
    found = wired.link.found["a"]
    found.outcome, found.status, found.last_ended, found.sequence = Outcome.OK, 200, 7 * SECOND, 1
    second = wired.probes.evidence("a")
    assert second is not None
    assert (second.outcome, second.http_status) == (Outcome.OK, 200)
    assert wired.probes.evidence("a") is second


def test_evidence_of_another_epoch_is_not_mistaken_for_that_before(wired: Wired) -> None:
    """P-25, P-30."""
    wired.probes.watch(WEB, targets("a"))
    wired.link.found["a"].outcome = Outcome.OK
    assert wired.probes.evidence("a") is not None
    wired.link.found["a"] = TargetEvidence(
        ip="127.0.0.2", probe_key="other", watched_since=6 * SECOND
    )
    assert wired.probes.evidence("a") == Evidence(watched_since=T0 + timedelta(seconds=6))


def test_the_probers_state_is_told(wired: Wired) -> None:
    """X-05, X-08."""
    assert wired.probes.view() == ProberView(beating_since=None, sees=False)
    assert not wired.probes.beating()
    wired.link.now = replace(
        wired.link.now, beating_since=3 * SECOND, references=(REACHED, REACHED)
    )
    assert wired.probes.view() == ProberView(beating_since=T0 + timedelta(seconds=3), sees=True)
    assert wired.probes.beating()


def test_an_operator_that_begins_too_often_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-08, protocol rule 21."""
    monkeypatch.setattr(probes, "ProberLink", FakeLink)
    probing = ProberProbes(Calendar(), lambda _: None, frequent_restarts=True)
    assert probing.view().frequent_restarts


def test_a_pod_of_two_probes_has_two_watches_at_places_of_their_own(wired: Wired) -> None:
    """P-29, P-27: one change of either wakes its set, and each is dropped by itself."""
    second = for_rotation("a")
    wired.probes.watch(WEB, targets("a") | {second: target("a", path="/lb")})
    first, other = wired.link.specs["a"], wired.link.specs[second]
    assert (first.path, other.path) == ("/healthz", "/lb")
    assert first.command(1, 1).seed != other.command(2, 1).seed
    wired.link.on_change(second)
    assert wired.woken == [WEB]
    wired.probes.watch(WEB, {second: target("a", path="/lb")})
    assert wired.link.specs.keys() == {second}
    assert wired.probes.evidence("a") is None
    assert wired.probes.neighbour("a") is not None


async def test_the_prober_knows_its_references_before_it_starts(wired: Wired) -> None:
    """Protocol rule 18."""
    wired.probes.start([("127.0.0.1", 6443)])
    await wired.probes.close()
    assert wired.link.calls == [("start", (("127.0.0.1", 6443),)), ("close", None)]


async def test_a_real_prober_wakes_the_set_with_evidence_in_our_time() -> None:
    """R-09: outcome, time and owner, end to end."""
    server = Server(answering(OK), "127.0.0.1")
    woken = asyncio.Event()
    began = boottime_ns()
    probing = ProberProbes(Calendar(), lambda _: woken.set())
    probing.start([("127.0.0.1", server.port)])
    try:
        await until(probing.beating)
        key = ProbeKey(probe_uid="p", generation=1, port=server.port)
        probing.watch(WEB, {"a": replace(target("a"), key=key)})
        await until(lambda: getattr(probing.evidence("a"), "outcome", None) is Outcome.OK)
        await asyncio.wait_for(woken.wait(), 4)
        found = probing.evidence("a")
        assert found is not None
        assert found.last_success is not None
        calendar = Calendar()
        assert calendar.at(began) <= found.watched_since <= found.last_success
        assert found.last_success <= calendar.at(boottime_ns())
    finally:
        await probing.close()
        server.close()


def test_what_another_replica_may_know_is_the_last_success_under_the_same_rules(
    wired: Wired,
) -> None:
    """P-25, P-30."""
    watched = target("a", ip="10.0.0.7")
    wired.probes.watch(WEB, {"a": watched})
    assert wired.probes.target("a") is watched
    assert wired.probes.target("b") is None
    assert wired.probes.last_success("a", "10.0.0.7", watched.key) is None
    wired.link.found["a"].last_success = 7 * SECOND
    assert wired.probes.last_success("a", "10.0.0.7", watched.key) == 7 * SECOND
    assert wired.probes.last_success("a", "10.0.0.8", watched.key) is None
    newer = replace(watched.key, generation=2)
    assert wired.probes.last_success("a", "10.0.0.7", newer) is None
    assert wired.probes.last_success("b", "10.0.0.7", watched.key) is None

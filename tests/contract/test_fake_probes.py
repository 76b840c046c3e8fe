"""The fake prober says what a real one would: the same attempts, however time is cut up."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.healthprobe import HealthProbeSpec
from scaleset_operator.core.observed import Evidence, Outcome
from scaleset_operator.reconciler.ports import Key, ProbeKey, ProbeTarget
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.endpoints import (
    HANG,
    OK,
    REFUSED,
    STATUS_500,
    Answer,
    FakeEndpoints,
)
from scaleset_operator.rehearsal.kubelet import FakeKubelet
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import LATENCY, Blindness, FakeProbes
from tests.support.builders import TEMPLATE, raw_probe
from tests.support.fake_clock import FakeClock

OWNER = Key("default", "web")
INTERVAL = timedelta(seconds=5)


class Bench:
    """Some running pods, watched by one prober."""

    def __init__(self, count: int = 1, **probe: int) -> None:
        self.clock = FakeClock()
        self.server = FakeApiServer(self.clock)
        self.kubelet = FakeKubelet(self.server)
        self.endpoints = FakeEndpoints(self.kubelet)
        self.probes = FakeProbes(self.clock, self.endpoints)
        self.spec = HealthProbeSpec.model_validate(raw_probe(**probe))
        for number in range(1, count + 1):
            self.add(f"web-{number}")
        self.clock.advance(3)
        self.since = self.clock.now()
        self.watch()

    def add(self, name: str) -> None:
        """One more pod."""
        self.server.create_pod(FakePod(namespace="default", name=name, spec=TEMPLATE["spec"]))

    def watch(self, *, generation: int = 1) -> None:
        """Watch every pod that has an address."""
        key = ProbeKey(probe_uid="probe", generation=generation, port=8080)
        self.probes.watch(
            OWNER,
            {
                pod.uid: ProbeTarget(pod_uid=pod.uid, ip=pod.ip, key=key, spec=self.spec)
                for pod in self.server.pods()
                if pod.ip is not None
            },
        )

    @property
    def uid(self) -> str:
        """The first pod's UID."""
        return self.server.pods()[0].uid

    def evidence(self, uid: str | None = None) -> Evidence:
        """What is known of the pod."""
        found = self.probes.evidence(uid or self.uid)
        assert found is not None
        return found


def ended(evidence: Evidence) -> datetime:
    """End of the last attempt."""
    assert evidence.last_ended is not None
    return evidence.last_ended


def test_the_first_attempt_comes_within_a_second_and_then_one_each_interval() -> None:
    bench = Bench()
    assert bench.evidence() == Evidence(watched_since=bench.since)
    bench.clock.advance(1.1)
    assert bench.evidence().outcome is Outcome.OK
    assert ended(bench.evidence()) <= bench.since + timedelta(seconds=1) + LATENCY
    bench.clock.advance(5)
    first = ended(bench.evidence())
    for rounds in (1, 2, 7):
        bench.clock.advance(INTERVAL * rounds)
        assert (ended(bench.evidence()) - first) % INTERVAL == timedelta()


def test_targets_are_spread_over_the_interval() -> None:
    bench = Bench(count=40)
    bench.clock.advance(20)
    ends = {ended(bench.evidence(pod.uid)) for pod in bench.server.pods()}
    assert len(ends) > 30


@pytest.mark.parametrize(("interval", "timeout", "patience"), [(5, 11, 5), (30, 11, 11)])
def test_an_attempt_without_an_answer_ends_after_the_smaller_of_interval_and_timeout(
    interval: int, timeout: int, patience: int
) -> None:
    """Design 3."""
    bench = Bench(intervalInSeconds=interval, timeoutInSeconds=timeout)
    bench.endpoints.set(bench.uid, HANG)
    bench.clock.advance(90)
    found = bench.evidence()
    assert found.outcome is Outcome.TIMED_OUT
    assert found.last_begun is not None
    assert ended(found) - found.last_begun == timedelta(seconds=patience)
    assert found.silent
    assert found.last_success is None
    assert found.failing_since == found.silent_since


def test_what_an_attempt_meets_is_fixed_when_it_begins() -> None:
    """An endpoint that recovers does not answer the attempt that already hangs."""
    bench = Bench()
    bench.clock.advance(10)
    bench.endpoints.set(bench.uid, HANG)
    bench.clock.advance_to(ended(bench.evidence()) + INTERVAL)
    bench.endpoints.heal(bench.uid)
    bench.clock.advance(INTERVAL - timedelta(seconds=1))
    assert bench.evidence().answers_ok, "the attempt in the air has not ended"
    bench.clock.advance(0.999)
    assert bench.evidence().outcome is Outcome.TIMED_OUT, "the next one ends a millisecond later"
    bench.clock.advance(INTERVAL)
    assert bench.evidence().answers_ok


def test_silence_and_failure_begin_where_they_began() -> None:
    """Protocol rule 15: silent is a matter of the last attempts."""
    bench = Bench()
    bench.clock.advance(20)
    good = bench.evidence()
    bench.endpoints.set(bench.uid, STATUS_500)
    bench.clock.advance(20)
    wrong = bench.evidence()
    assert (wrong.http_status, wrong.silent_since) == (500, None)
    assert wrong.failing_since == ended(good) + INTERVAL
    bench.endpoints.set(bench.uid, HANG)
    bench.clock.advance(20)
    silent = bench.evidence()
    assert silent.failing_since == wrong.failing_since
    assert silent.silent_since is not None
    assert silent.silent_since > ended(wrong)
    assert silent.last_success == ended(good)
    assert silent.answering_since == good.answering_since
    bench.endpoints.heal(bench.uid)
    bench.clock.advance(20)
    healed = bench.evidence()
    assert (healed.failing_since, healed.silent_since) == (None, None)
    assert healed.answering_since is not None
    assert healed.answering_since > silent.silent_since


@given(
    steps=st.lists(
        st.tuples(
            st.integers(min_value=1, max_value=40_000),
            st.sampled_from([None, OK, HANG, REFUSED, STATUS_500]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_evidence_does_not_depend_on_when_it_is_asked_for(
    steps: list[tuple[int, Answer | None]],
) -> None:
    """One jump over an hour finds what an hour of looking finds."""
    looked, jumped = Bench(), Bench()
    for milliseconds, answer in steps:
        for bench, pieces in ((looked, 9), (jumped, 1)):
            span = timedelta(milliseconds=milliseconds)
            for _ in range(pieces - 1):
                bench.clock.advance(span // pieces)
                bench.evidence()
            bench.clock.advance(span - (pieces - 1) * (span // pieces))
            if answer is not None:
                bench.endpoints.set(bench.uid, answer)
    assert looked.evidence() == jumped.evidence()
    assert looked.probes.next_end() == jumped.probes.next_end()


def test_containers_that_do_not_run_refuse_and_a_lost_node_is_silent() -> None:
    """Protocol rule 15."""
    bench = Bench()
    pod = bench.server.pods()[0]
    bench.kubelet.restart_containers(pod, down_for=30)
    bench.clock.advance(10)
    assert bench.evidence().outcome is Outcome.REFUSED
    bench.clock.advance(30)
    assert bench.evidence().answers_ok
    bench.kubelet.lose_node(pod.node or "")
    bench.clock.advance(15)
    assert bench.evidence().outcome is Outcome.TIMED_OUT


def test_another_pod_at_the_address_answers_for_the_dead_one() -> None:
    """The fake lies as the world does; the adapter and the core must not be misled."""
    bench = Bench()
    old = bench.server.pods()[0]
    bench.kubelet.reuse_addresses = True
    bench.server.delete_pod("default", old.name)
    bench.clock.advance(10)
    assert not bench.evidence(old.uid).answers_ok
    bench.add("web-2")
    bench.clock.advance(10)
    assert bench.server.pods()[0].ip == old.ip
    assert bench.evidence(old.uid).answers_ok


def test_new_rules_or_a_new_prober_begin_anew() -> None:
    bench = Bench()
    bench.clock.advance(20)
    bench.watch(generation=2)
    assert bench.evidence() == Evidence(watched_since=bench.clock.now())
    bench.clock.advance(20)
    bench.watch(generation=2)
    assert bench.evidence().answers_ok, "the same rules again change nothing"
    bench.probes.restart()
    assert bench.evidence() == Evidence(watched_since=bench.clock.now())
    bench.probes.watch(OWNER, {})
    assert bench.probes.evidence(bench.uid) is None
    assert bench.probes.neighbour(bench.uid) is None


def test_a_frozen_prober_reports_nothing_and_its_heart_stops() -> None:
    """Design 2: two seconds of silence."""
    bench = Bench()
    bench.clock.advance(20)
    before = bench.evidence()
    bench.probes.freeze()
    bench.endpoints.set(bench.uid, STATUS_500)
    bench.clock.advance(2)
    assert bench.probes.view().beating_since is not None
    bench.clock.advance(60)
    assert bench.probes.view().beating_since is None
    assert bench.evidence() == before
    assert bench.probes.next_end() is None
    bench.probes.thaw()
    assert bench.probes.view().beating_since == bench.clock.now()
    bench.clock.advance(6)
    assert bench.evidence().http_status == 500


def test_a_blind_prober_finds_silence_and_its_references_say_so_a_little_later() -> None:
    """Protocol rule 18."""
    bench = Bench(count=3)
    bench.clock.advance(20)
    bench.probes.blind(Blindness.ALL)
    assert bench.probes.view().sees
    bench.clock.advance(12)
    assert not bench.probes.view().sees
    assert all(bench.evidence(pod.uid).silent for pod in bench.server.pods())
    bench.probes.blind(Blindness.PODS)
    bench.clock.advance(12)
    assert bench.probes.view().sees
    assert bench.evidence().silent
    bench.probes.blind(Blindness.NONE)
    bench.clock.advance(12)
    assert all(bench.evidence(pod.uid).answers_ok for pod in bench.server.pods())


def test_a_path_that_is_cut_to_one_node_is_silence_there_alone() -> None:
    """Protocol rule 17."""
    bench = Bench(count=6)
    bench.probes.cut_nodes("node-1")
    bench.clock.advance(20)
    for pod in bench.server.pods():
        near = bench.probes.neighbour(pod.uid)
        assert near is not None
        assert near.silent is (pod.node == "node-1")


def test_a_change_of_outcome_is_told_once() -> None:
    """The loop is woken by changes."""
    bench = Bench()
    told: list[str] = []
    bench.probes.on_change = told.append
    bench.clock.advance(20)
    bench.probes.sync()
    bench.endpoints.set(bench.uid, REFUSED)
    bench.clock.advance(20)
    bench.probes.sync()
    bench.clock.advance(20)
    bench.probes.sync()
    assert told == [bench.uid, bench.uid]

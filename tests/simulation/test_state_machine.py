"""The machine that tries to break the promises: every rule a misfortune, the referee after each.

Proves the cap, the grace and "no duplicate, no lost instance" under crashes at any request, two
operators, stopped processes, stale caches, API errors and edits in the middle.
"""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_TERMINATE_AT,
    CONDITION_HEALTHY,
    LABEL_MODEL,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
)
from scaleset_operator.rehearsal.endpoints import GARBAGE, HANG, REFUSED, STATUS_500, STATUS_503
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import KEY, NAMESPACE, Operator, World, probe_spec, set_spec

SIZES = st.sampled_from([10, 20, 40, 60])
PICK = st.integers(0, 59)
POLICIES = st.sampled_from(
    [
        {},
        {"armAfterHealthyPercent": 80},
        {"disruptionBudgets": "Enforce"},
        {"repairAction": "Restart"},
        {"repairAction": "Reimage"},
    ]
)
NOTICES = st.sampled_from([None, None, "PT0S", "PT15S", "PT2M"])
SETTLE_SECONDS = 300
SHEDS = "/lb"
"""The path that the probe of rotation asks."""
SURGE_SECONDS = 1_300
"""A surge that failed is tried again after ten minutes at first, and may fail once more."""


class ScaleSetMachine(RuleBasedStateMachine):
    """One set, one API server, at most two operators, and bad luck.

    R-11, R-13..R-18, R-21..R-24, R-29, R-33, R-48, R-49, R-51..R-54, X-07, X-08; rules 1 to 10,
    18, 24, 28.
    """

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.paths = 0
        self.second: dict[str, object] = {}
        self.replicas = 0
        self.policy: dict[str, Any] = {}
        self.image = "web:1"
        self.rolling: dict[str, Any] = {}

    @initialize(
        seed=st.integers(0, 2**32),
        replicas=SIZES,
        policy=POLICIES,
        notice=NOTICES,
        second=st.booleans(),
    )
    def begin(
        self,
        seed: int,
        replicas: int,
        policy: dict[str, Any],
        notice: str | None,
        *,
        second: bool,
    ) -> None:
        """A set that has come up, under one operator; some under a probe of rotation as well."""
        self.policy = policy | {"notice": notice}
        self.world = World(seed)
        self.replicas = replicas
        self.second = {"rotationProbeRef": {"name": "web-lb"}} if second else {}
        self.world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
        self.world.server.apply("HealthProbe", NAMESPACE, "web-lb", probe_spec(path=SHEDS))
        self._apply()
        self.world.start()
        self._run(40)

    def _run(self, seconds: int) -> None:
        self.loop.run_until_complete(self.world.run(seconds))

    def _pod(self, pick: int) -> FakePod | None:
        pods = self.world.live()
        return pods[pick % len(pods)] if pods else None

    def _on(self, pick: int, act: Callable[[FakePod], object]) -> None:
        pod = self._pod(pick)
        if pod is not None:
            act(pod)

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        """Turns are taken each second."""
        self._run(seconds)

    @rule(
        picks=st.lists(PICK, min_size=1, max_size=9),
        how=st.sampled_from([STATUS_500, REFUSED, GARBAGE, HANG]),
    )
    def instances_fail(self, picks: list[int], how: object) -> None:
        """Some endpoints go bad at once."""
        for pick in picks:
            self._on(pick, lambda pod: self.world.endpoints.set(pod.uid, how))  # type: ignore[arg-type] # one of the four

    @rule(pick=PICK)
    def an_instance_heals(self, pick: int) -> None:
        """By itself, before or while it is repaired."""
        self._on(pick, lambda pod: self.world.endpoints.heal(pod.uid))

    @rule(pick=PICK, how=st.sampled_from([STATUS_503, HANG, None]))
    def an_instance_sheds_load_or_takes_it_again(self, pick: int, how: object) -> None:
        """To the probe of rotation alone (P-29)."""
        self._on(pick, lambda pod: self.world.endpoints.set_path(pod.uid, SHEDS, how))  # type: ignore[arg-type] # one of the three

    @rule(pick=PICK)
    def an_instance_will_stick_in_terminating(self, pick: int) -> None:
        """Its node or a finalizer holds it (R-15)."""
        self._on(pick, self.world.kubelet.stick)

    @rule(pick=PICK)
    def an_instance_ends_by_itself(self, pick: int) -> None:
        """Evicted."""
        self._on(pick, self.world.kubelet.die)

    @rule(pick=PICK)
    def a_person_deletes_an_instance(self, pick: int) -> None:
        """Protected or not (R-50)."""
        self._on(pick, lambda pod: self.world.server.delete_pod(pod.namespace, pod.name))

    @rule(
        pick=PICK, label=st.sampled_from([LABEL_PROTECT_FROM_ACTIONS, LABEL_PROTECT_FROM_SCALE_IN])
    )
    def an_instance_is_protected(self, pick: int, label: str) -> None:
        """In the middle of anything (R-47)."""
        self._on(
            pick,
            lambda pod: self.world.server.change_pod(pod, labels={**pod.labels, label: "true"}),
        )

    @rule(replicas=SIZES)
    def the_set_is_scaled(self, replicas: int) -> None:
        """With repairs in flight (R-18)."""
        self.replicas = replicas
        self._apply()

    @rule(notice=NOTICES)
    def the_notice_is_changed(self, notice: str | None) -> None:
        """What was announced stays (R-54)."""
        self.policy["notice"] = notice
        self._apply()

    @rule(pick=PICK)
    def an_instance_approves(self, pick: int) -> None:
        """Told or not."""
        self._on(pick, lambda pod: self._annotate(pod, ANNOTATION_APPROVE_TERMINATION, "true"))

    @rule(
        pick=PICK,
        text=st.sampled_from(["soon", "2020-01-01T00:00:00Z", "2036-01-01T00:00:00Z", None]),
    )
    def a_person_rewrites_a_deadline(self, pick: int, text: str | None) -> None:
        """Or writes one that nobody gave (R-54)."""
        self._on(pick, lambda pod: self._annotate(pod, ANNOTATION_TERMINATE_AT, text))

    def _annotate(self, pod: FakePod, key: str, text: str | None) -> None:
        marks = {name: value for name, value in pod.annotations.items() if name != key}
        marks |= {} if text is None else {key: text}
        self.world.server.change_pod(pod, annotations=marks)

    def _apply(self) -> None:
        spec = set_spec(self.replicas, image=self.image, rolling=self.rolling, **self.policy)
        spec |= self.second
        self.world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)

    @rule(
        image=st.sampled_from(["web:1", "web:2", "web:3"]),
        surge=st.booleans(),
        stays=st.booleans(),
        pause=st.sampled_from(["PT0S", "PT0S", "PT7S"]),
    )
    def the_template_changes(self, image: str, pause: str, *, surge: bool, stays: bool) -> None:
        """A rollout in the middle of anything, undone or superseded by the next (R-57, R-58)."""
        self.image = image
        self.rolling = {
            "maxSurge": surge,
            "inPlaceIfPossible": stays,
            "pauseTimeBetweenBatches": pause,
        }
        self._apply()

    @rule(spare=st.integers(0, 3))
    def a_budget_is_made_or_edited(self, spare: int) -> None:
        """With or without room; it counts with a lag of its own."""
        least = max(0, self.replicas - spare)
        self.world.disruption.make("web-pdb", NAMESPACE, minAvailable=least)

    @rule()
    def the_probe_is_edited(self) -> None:
        """All evidence starts anew (P-25)."""
        self.paths += 1
        spec = probe_spec(path=f"/healthz/{self.paths}")
        self.world.server.apply("HealthProbe", NAMESPACE, "web-http", spec)

    @rule(hours=st.integers(-2, 2))
    def the_wall_clock_jumps(self, hours: int) -> None:
        """Nobody may notice (X-10)."""
        self.world.clock.jump_wall(
            hours * (self.world.clock.now() - self.world.clock.now().replace(hour=0))
        )

    def _operator(self, pick: int) -> Operator | None:
        operators = self.world.operators
        return operators[pick % len(operators)] if operators else None

    @rule(pick=PICK, point=st.integers(0, 12))
    def an_operator_will_be_killed(self, pick: int, point: int) -> None:
        """Before or after one of its next writes (R-16)."""
        operator = self._operator(pick)
        if operator is not None:
            operator.trouble.crash_at = point

    @rule(pick=PICK, point=st.integers(0, 8))
    def an_operator_will_be_stopped(self, pick: int, point: int) -> None:
        """SIGSTOP between two requests; rule 5 drops what it was about to do."""
        operator = self._operator(pick)
        if operator is not None and not operator.trouble.held:
            operator.trouble.go.clear()
            operator.trouble.hold_at = point

    @rule(pick=PICK)
    def a_stopped_operator_goes_on(self, pick: int) -> None:
        """SIGCONT."""
        operator = self._operator(pick)
        if operator is not None:
            operator.trouble.go.set()

    @precondition(lambda self: len(self.world.operators) < 2)
    @rule(
        lag=st.sampled_from([0.0, 0.0, 1.5, 5.0, 30.0]),
        resources=st.sampled_from([0.0, 0.0, 3.0, 30.0]),
    )
    def an_operator_starts(self, lag: float, resources: float) -> None:
        """A second one, or the one that takes over, with caches as stale as can be (R-17)."""
        self.world.start(lag=lag, resource_lag=resources)

    @rule(pick=PICK, rate=st.sampled_from([0.0, 0.1, 0.4]))
    def requests_fail(self, pick: int, rate: float) -> None:
        """409, 403, 422, 429, 500, and answers lost after the deed."""
        operator = self._operator(pick)
        if operator is not None:
            operator.fault_rate = rate

    @rule(pick=PICK)
    def a_watch_is_cut(self, pick: int) -> None:
        """And comes back with a list in `time_passes`."""
        operator = self._operator(pick)
        if operator is not None:
            operator.cluster.view.cut()
            self._run(3)
            operator.cluster.view.relist()

    @rule(pick=PICK, blindness=st.sampled_from(list(Blindness)))
    def a_prober_sees_less_or_more(self, pick: int, blindness: Blindness) -> None:
        """Everything silent is nobody's guilt (X-05)."""
        operator = self._operator(pick)
        if operator is not None:
            operator.probes.blind(blindness)

    def teardown(self) -> None:
        """Fortune returns: the set must come to what is wanted, and rest (ESR)."""
        try:
            if self.replicas:
                self._settles()
        finally:
            self.loop.run_until_complete(self.world.close())
            self.loop.close()

    def _settles(self) -> None:
        world = self.world
        for operator in list(world.operators):
            world.kill(operator)
        for pod in world.server.pods(NAMESPACE):
            world.endpoints.heal(pod.uid)
            world.endpoints.set_path(pod.uid, SHEDS, None)
        world.start()
        self._run(5)
        # One that was deleted this very second has its turn yet to come.
        leaving = {p.uid for p in world.server.pods(NAMESPACE) if p.terminating and p.in_rotation}
        self._run(2)
        stuck = [p for p in world.server.pods(NAMESPACE) if p.terminating]
        assert not [p.name for p in stuck if p.uid in leaving and p.in_rotation], "P-20"
        for pod in stuck:
            world.kubelet.release_stuck(pod)
        self._run(SETTLE_SECONDS)
        if "rollout" in world.status():
            self._run(SURGE_SECONDS)
        live = world.live()
        assert all(pod.in_rotation for pod in live)
        protected = sum(any("protect" in label for label in p.labels) for p in live)
        assert self.replicas <= len(live) <= max(self.replicas, protected), len(live)
        assert all(p.conditions[CONDITION_HEALTHY].status == "True" for p in live)
        assert len({p.instance_id for p in live}) == len(live)
        status = world.status()
        assert not status["repairs"]["inFlight"], status["repairs"]["inFlight"]
        assert not status["repairs"]["doubts"]
        assert not status["creating"]
        assert not status["scaleIn"]
        assert not status["renewals"]
        assert "rollout" not in status, status["rollout"]
        behind = [p for p in live if p.labels[LABEL_MODEL] != status["latestModel"]]
        assert all(LABEL_PROTECT_FROM_ACTIONS in p.labels for p in behind)
        before = world.server.resource("ScaleSet", NAMESPACE, KEY.name)["metadata"][
            "resourceVersion"
        ]
        written = len([p.resource_version for p in live])
        versions = {p.name: p.resource_version for p in live}
        self._run(60)
        after = world.server.resource("ScaleSet", NAMESPACE, KEY.name)["metadata"][
            "resourceVersion"
        ]
        assert after == before, "the status is still being written"
        assert {p.name: p.resource_version for p in world.live()} == versions, written


ScaleSetMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("SCALESET_EXAMPLES", "40")),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestScaleSet = pytest.mark.timeout(600)(ScaleSetMachine.TestCase)

"""Two operators, people and bad luck on a set under maintenance: what holds after every step.

Acts are lost or come late, views are behind, nodes are full, budgets refuse, instances fail and
are deleted, the set is scaled, windows are suspended, and time jumps over the edges of windows.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scaleset_operator.api.maintenanceledger import Origin
from scaleset_operator.core.marks import Standing, said_of, standing_of
from scaleset_operator.core.observed import Outcome, TemplateView
from tests.core._rivals import Eye, Rivals
from tests.core._upkeep import MINUTE, view
from tests.support.builders import scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SIZE = 10
LARGEST = 12
DOMAINS = 5
OPENS, CLOSES = T0 + MINUTE, T0 + 8 * MINUTE
STARTS, ENDS = T0 + 8 * MINUTE, T0 + 40 * MINUTE
EDGES = (OPENS, CLOSES, ENDS)
PICK = st.integers(0, LARGEST - 1)
SHARES = st.sampled_from([100, 50, 20])


class Maintained(RuleBasedStateMachine):
    """M-09, M-12, M-22, M-24 to M-26, V-06, V-17, X-01 to X-03; rules 2, 3, 5 and 22."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Rivals.of(scale_set_spec(replicas=SIZE), SIZE)
        self.first: Eye = self.world.eye()
        self.second: Eye = self.world.eye()
        self.share = 100
        self.models = 0
        self.most = SIZE

    @initialize(share=SHARES, pause=st.sampled_from([0, 0, 60]), grace=st.sampled_from([60, 300]))
    def begin(self, share: int, pause: int, grace: int) -> None:
        """A set that is well, and a maintenance that is announced for it."""
        rolling = {"mode": "Rolling", "rollingUpgradePolicy": {"pauseTimeBetweenBatches": "PT0S"}}
        spec = scale_set_spec(replicas=SIZE, grace=timedelta(seconds=grace), upgradePolicy=rolling)
        self.world = Rivals.of(spec, SIZE)
        times: dict[str, Any] = {"opens": OPENS, "closes": CLOSES, "start": STARTS, "end": ENDS}
        pace = timedelta(seconds=pause)
        self.world.windows = [view(share=share, pause_between=pace, **times)]
        self.share = share
        self.first, self.second = self.world.eye(), self.world.eye()
        self._first_acts()

    def _first_acts(self) -> None:
        self.world.catch_up(self.first)
        self.world.take_turn(self.first)

    def _go_on(self, span: timedelta, longest: timedelta = 10 * SECOND) -> None:
        end = self.world.now + span
        while self.world.now < end:
            self.world.now = min(end, self.world.next_moment(longest))
            self.world._pass_time()  # noqa: SLF001 - the world has no clock of its own
            self._first_acts()

    def _pick(self, pick: int) -> str | None:
        names = sorted(pod.name for pod in self.world.live)
        return names[pick % len(names)] if names else None

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        """With the first operator at work."""
        self._go_on(timedelta(seconds=seconds))

    @rule(seconds=st.integers(1, 400))
    def nobody_works(self, seconds: int) -> None:
        """No operator runs for a while (M-24)."""
        self.world.skip(self.world.now + timedelta(seconds=seconds))

    @rule(edge=st.sampled_from(EDGES), around=st.sampled_from([-1, 0, 1]))
    def an_edge_is_reached(self, edge: datetime, around: int) -> None:
        """A window opens or closes (M-05)."""
        at = edge + around * SECOND
        if at > self.world.now:
            self.world.skip(at)
            self._first_acts()

    @rule(lost=st.sets(st.integers(0, 6), min_size=1, max_size=2))
    def the_first_is_killed(self, lost: set[int]) -> None:
        """Between two steps; it starts anew."""
        self.world.catch_up(self.first)
        self.world.take_turn(self.first, lost=lost)
        self.first = self.world.eye()

    @rule(seconds=st.integers(0, 6))
    def acts_of_the_first_are_late(self, seconds: int) -> None:
        """Or are dropped, where they are too late."""
        self.world.catch_up(self.first)
        self.world.take_turn(self.first, delay=timedelta(seconds=seconds))

    @rule(pods=st.booleans(), status=st.booleans())
    def the_second_hears(self, *, pods: bool, status: bool) -> None:
        """Of pods and status apart."""
        self.world.catch_up(self.second, pods=pods, status=status)

    @rule(lost=st.sets(st.integers(0, 6), max_size=1), late=st.sampled_from([None, 3]))
    def the_second_acts(self, lost: set[int], late: int | None) -> None:
        """Not being the leader any more, and not knowing it."""
        delay = None if late is None else timedelta(seconds=late)
        self.world.take_turn(self.second, lost=lost, delay=delay)

    @rule()
    def what_was_late_arrives(self) -> None:
        """At the API server."""
        self.world.deliver()

    @rule(picks=st.lists(PICK, min_size=1, max_size=4))
    def owners_ask(self, picks: list[int]) -> None:
        """In whichever order and domain (M-20)."""
        for pick in picks:
            name = self._pick(pick)
            if name is not None:
                self.world.ask(name)

    @rule(suspended=st.booleans())
    def somebody_suspends_or_resumes(self, *, suspended: bool) -> None:
        """The window."""
        self.world.windows = [replace(v, suspended=suspended) for v in self.world.windows]

    @rule(room=st.sampled_from([0, 1, 100]))
    def updated_nodes_have_room_or_none(self, room: int) -> None:
        """M-26."""
        self.world.room = room

    @rule(picks=st.sets(PICK, max_size=3))
    def budgets_refuse(self, picks: set[int]) -> None:
        """These evictions, until they do not."""
        self.world.refusing = {f"web-{pick + 1}" for pick in picks}

    @rule(picks=st.sets(PICK, min_size=1, max_size=3), well=st.booleans())
    def instances_fail_or_heal(self, picks: set[int], *, well: bool) -> None:
        """By themselves."""
        names = {self._pick(pick) for pick in picks} - {None}
        self.world.tell(Outcome.OK if well else Outcome.WRONG_STATUS, *filter(None, names))

    @rule(pick=PICK)
    def one_will_not_come_back(self, pick: int) -> None:
        """M-16."""
        self.world.sick.add(f"web-{pick + 1}")

    @rule(pick=PICK)
    def somebody_deletes_one(self, pick: int) -> None:
        """M-22."""
        name = self._pick(pick)
        if name is not None:
            self.world.terminate(name)

    @rule(pick=PICK, kept=st.booleans())
    def one_is_protected_or_not(self, pick: int, *, kept: bool) -> None:
        """From what the operator begins."""
        name = self._pick(pick)
        if name is not None:
            self.world.change(name, protected_from_actions=kept)

    @rule(size=st.integers(SIZE - 3, LARGEST))
    def the_set_is_scaled(self, size: int) -> None:
        """Up or down (M-21, M-22)."""
        self.world.spec = self.world.spec.model_copy(update={"replicas": size})

    @rule()
    def a_new_model_comes(self) -> None:
        """X-02: a rollout at the same time."""
        self.models += 1
        self.world.outside["template"] = TemplateView(model=f"{self.models:010d}")

    @invariant()
    def nothing_was_done_that_must_not_be(self) -> None:
        """Evictions stay under the floor, with an entry and a place."""
        assert not self.world.failures, self.world.failures

    @invariant()
    def one_domain_at_a_time(self) -> None:
        """M-12, in the scheduled window."""
        entries = [e for e in self.world.entries if e.origin is Origin.SCHEDULED]
        assert len({e.update_domain for e in entries}) <= 1, entries

    @invariant()
    def nobody_is_tried_twice(self) -> None:
        """V-17, M-09: an attempt is used up once in an iteration."""
        tried = {who: codes for who, codes in self.world.attempts.items() if len(codes) > 1}
        assert not tried, tried

    @invariant()
    def work_begins_inside_its_window(self) -> None:
        """M-10, M-24, M-25."""
        for entry in self.world.entries:
            asked = entry.origin is Origin.SELF_SERVICE
            opens, closes = (OPENS, CLOSES) if asked else (STARTS, ENDS)
            assert opens <= entry.start_time < closes, entry

    @invariant()
    def a_share_is_a_share(self) -> None:
        """V-06: of the most that there were; one more may be there beside a repair's successor."""
        live = {pod.name: pod for pod in self.world.live}
        away = {entry.instance for entry in self.world.entries} - live.keys()
        self.most = max(self.most, len(live) + len(away))
        marked = sum(bool(pod.mark) for pod in live.values()) + len(away)
        assert marked <= -(-(self.most + 1) * self.share // 100)

    @invariant()
    def repairs_keep_their_limit(self) -> None:
        """R-11: one of so few, whatever maintenance does."""
        assert len(self.world.seen.status.repairs.in_flight) <= 1

    def teardown(self) -> None:
        """Bad luck ends: everything comes to rest, and nobody was forgotten."""
        world = self.world
        world.room, world.refusing, world.late = 100, set(), []
        world.sick.clear()
        world.tell(Outcome.OK)
        world.windows = [replace(v, suspended=False) for v in world.windows]
        for name, pod in list(world.pods.items()):
            if pod.protected_from_actions:
                world.change(name, protected_from_actions=False)
        in_time = world.now < ENDS - 28 * MINUTE
        self._until(ENDS)
        if in_time and not any(row.stopped for row in world.maintenance.iterations):
            left = [p.name for p in world.live if p.mark and standing_of(p) is Standing.PENDING]
            assert not left, (left, world.maintenance)
        self._until(ENDS + 10 * MINUTE)
        world.windows = []
        self._until(world.now + 10 * MINUTE)
        self.nothing_was_done_that_must_not_be()
        self.nobody_is_tried_twice()
        assert not world.entries, world.entries
        assert not world.places, world.places
        assert len(world.live) == world.spec.replicas
        # What is left is the last result of an attempt, which stays readable (V-16).
        ahead = [
            p.name for p in world.live if p.mark and said_of(p).last_operation_result_code is None
        ]
        assert not ahead, ahead

    def _until(self, moment: datetime) -> None:
        while self.world.now < moment:
            quiet = not self.world.entries and not self.world.gone_at
            span = min(moment - self.world.now, 60 * SECOND if quiet else 10 * SECOND)
            self._go_on(span, longest=span)


TestMaintained = Maintained.TestCase
# A third of a second each: what `ci` asks of a property would take longer than a property may.
TestMaintained.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

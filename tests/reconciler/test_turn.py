"""One turn: recorded before acted, fenced, shared writes, and what each fault of the API makes."""

from datetime import timedelta

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Key, Unavailable
from scaleset_operator.reconciler.turn import RESERVE, STATUS_PAUSE, STATUS_SETTLE
from scaleset_operator.rehearsal.endpoints import STATUS_500
from scaleset_operator.rehearsal.requests import WRITES, Fault, Hooks, Request, Verb
from tests.reconciler.stage import Gathered, Stage, yield_to_all
from tests.simulation.world import KEY, NAMESPACE, set_spec

ACTS = (Verb.CREATE, Verb.DELETE)


class Lag(Hooks):
    """Time passes just before the first request of one kind is sent: the process was stopped."""

    def __init__(self, stage: Stage, verb: Verb, seconds: float) -> None:
        self.stage = stage
        self.verb: Verb | None = verb
        self.seconds = seconds

    async def before(self, request: Request) -> None:
        if request.verb is self.verb:
            self.verb = None
            self.stage.clock.advance(self.seconds)


class Stopped(Hooks):
    """Stopped for twelve seconds after its second live read of a victim; another one deletes it.

    What its watch has to tell of that comes later still.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reads = 0

    async def after(self, request: Request) -> None:
        self.reads += request.verb is Verb.READ
        if request.verb is Verb.READ and self.reads == 2:
            pod = self.stage.pod(request.name)
            version = str(pod.resource_version)
            self.stage.cluster.view.cache.lag = timedelta(minutes=1)
            self.stage.server.delete_pod(NAMESPACE, pod.name, uid=pod.uid, version=version)
            self.stage.clock.advance(12)


async def risen(replicas: int = 3) -> Stage:
    """A set that has come up whole, and whose status says so."""
    stage = Stage(replicas)
    await stage.run(30)
    assert len(stage.pods()) == replicas
    assert stage.condition("Ready")["status"] == "True"
    stage.forget_requests()
    return stage


async def failing(stage: Stage, name: str = "web-1", within: int = 40) -> None:
    """Let an instance answer 500 until its DELETE is due in the very next turn."""
    stage.world.endpoints.set(stage.pod(name).uid, STATUS_500)
    for _ in range(within):
        stage.forget_requests()
        stage.clock.advance(1)
        await stage.turn()
        if stage.made(Verb.DELETE):
            return
    message = f"{name} was not deleted within {within} s"
    raise AssertionError(message)


async def test_nothing_is_created_before_its_name_was_recorded() -> None:
    """R-14, protocol rule 3: record, then act, in one turn."""
    stage = Stage()
    seen = Gathered()
    stage.cluster.wire.hooks = seen
    await stage.turn()
    verbs = [request.verb for request in seen.order]
    assert verbs.index(Verb.STATUS) < verbs.index(Verb.CREATE)
    assert (
        [c["name"] for c in stage.status()["creating"]]
        == stage.pods()
        == ["web-1", "web-2", "web-3"]
    )


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.DROPPED, Fault.TOO_MANY])
async def test_without_its_record_nothing_is_done(fault: Fault) -> None:
    """R-16, X-07: an answer that was lost is no record either."""
    stage = Stage()
    stage.operator.faults.script(Verb.STATUS, fault)
    with pytest.raises(Unavailable):
        await stage.turn()
    assert stage.made(*ACTS) == []
    await stage.run(2)
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_a_conflict_throws_the_plan_away_and_brings_a_new_turn() -> None:
    """R-17: whoever writes in between is heard first."""
    stage = Stage()
    stage.operator.faults.script(Verb.STATUS, Fault.CONFLICT)
    due = await stage.turn()
    assert stage.made(*ACTS) == []
    await stage.until_due(due, within=1.0)
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_a_status_that_is_stale_is_never_written() -> None:
    """R-17, X-07, protocol rule 25: the write carries the version that was decided on."""
    stage = Stage()
    stage.operator.hear()
    stage.server.annotate("ScaleSet", *KEY, someone="was here")
    await stage.reconciler.turn(KEY)
    assert stage.status() == {}
    assert stage.made(*ACTS) == []


async def test_acts_without_a_record_of_this_turn_are_fenced_by_a_confirmation() -> None:
    """R-17, protocol rule 3: what another turn recorded is confirmed before it is acted on."""
    stage = Stage()
    stage.server.quota[NAMESPACE] = 0
    await stage.turn()
    del stage.server.quota[NAMESPACE]
    await stage.run(4)
    seen = Gathered()
    stage.cluster.wire.hooks = seen
    while not stage.pods():
        seen.order.clear()
        stage.clock.advance(1)
        await stage.turn()
    verbs = [r.verb for r in seen.order]
    assert verbs[-4:] == [Verb.STATUS, Verb.CREATE, Verb.CREATE, Verb.CREATE]


async def test_a_confirmation_that_fails_keeps_the_acts_back() -> None:
    """R-17."""
    stage = await risen()
    stage.operator.faults.script(Verb.DELETE, Fault.SERVER_ERROR)
    with pytest.raises(Unavailable):
        await failing(stage)
    stage.forget_requests()
    stage.server.annotate("ScaleSet", *KEY, someone="was here")
    stage.cluster.wire.hooks = Lag(stage, Verb.READ, 0.0)
    stage.operator.faults.script(Verb.STATUS, Fault.CONFLICT)
    await stage.turn()
    assert stage.made(Verb.DELETE) == []
    assert not stage.pod("web-1").terminating


async def test_a_victim_is_read_live_before_its_record_and_again_before_its_delete() -> None:
    """R-21, protocol rule 3."""
    stage = await risen()
    seen = Gathered()
    stage.cluster.wire.hooks = seen
    await failing(stage)
    verbs = [r.verb for r in seen.order if r.verb in (Verb.READ, Verb.STATUS, *ACTS)]
    assert verbs[-5:] == [Verb.READ, Verb.STATUS, Verb.READ, Verb.DELETE, Verb.CREATE]


async def test_what_is_older_than_five_seconds_is_dropped_and_decided_anew_soon() -> None:
    """X-07, protocol rule 5: a process that was stopped and goes on does nothing old."""
    stage = Stage()
    stage.cluster.wire.hooks = Lag(stage, Verb.CREATE, 6.0)
    due = await stage.turn()
    assert stage.pods() == []
    await stage.until_due(due, within=1.0)
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_what_was_read_live_before_a_stop_cancels_no_repair() -> None:
    """R-14, protocol rules 4, 5 and 9: the victim may have been deleted meanwhile, by another one,
    and a repair that is past its DELETE keeps its slot until it is made up for."""
    stage = await risen()
    stage.cluster.wire.hooks = Stopped(stage)
    stage.world.endpoints.set(stage.pod("web-1").uid, STATUS_500)
    for _ in range(40):
        stage.clock.advance(1)
        await stage.turn()
        if "web-1" not in stage.pods():
            break
    repairs = stage.status()["repairs"]
    assert [row["instance"] for row in repairs["inFlight"]] == ["web-1"]
    assert repairs["history"] == []


async def test_the_five_seconds_begin_before_the_record_is_sent() -> None:
    """Protocol rule 5: else a slow record would lend its acts more time."""
    stage = Stage()
    stage.cluster.wire.hooks = Lag(stage, Verb.STATUS, 6.0)
    await stage.turn()
    assert stage.made(Verb.CREATE) != []
    assert stage.pods() == []


async def test_a_create_that_is_refused_is_said_at_once_and_tried_again_in_time() -> None:
    """X-11: CreateForbidden, without an event that would bring a turn."""
    stage = Stage()
    stage.server.quota[NAMESPACE] = 1
    due = await stage.turn()
    await stage.until_due(due, within=1.0)
    due = await stage.turn()
    assert stage.condition("Accepted")["reason"] == Reason.CREATE_FORBIDDEN
    await stage.until_due(due, within=5.0)
    del stage.server.quota[NAMESPACE]
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_a_name_that_is_taken_is_passed_over_in_a_turn_that_follows_soon() -> None:
    stage = Stage(1)
    stage.operator.faults.script(Verb.CREATE, Fault.CONFLICT)
    due = await stage.turn()
    assert stage.pods() == []
    await stage.until_due(due, within=1.0)
    await stage.turn()
    assert stage.pods() == ["web-2"]


async def test_acts_that_keep_failing_are_tried_ever_more_rarely() -> None:
    stage = await risen(3)
    stage.operator.faults.choose = lambda r: Fault.FORBIDDEN if r.verb is Verb.DELETE else None
    stage.change_spec(replicas=1)
    waits: list[float] = []
    for _ in range(8):
        due = await stage.turn()
        assert due is not None
        waits.append((due - stage.clock.now()).total_seconds())
        await stage.until_due(due, within=300)
    assert stage.made(Verb.DELETE) != []
    assert waits[0] <= 1.0
    assert waits[-1] >= 30.0


async def test_a_turn_comes_by_itself_even_if_nothing_happens() -> None:
    stage = await risen()
    stage.change_spec(healthProbeRef=None, automaticRepairsPolicy=None)
    await stage.run(10)
    due = await stage.turn()
    assert due is not None
    assert due <= stage.clock.now() + RESERVE


async def test_a_set_that_rests_is_not_written() -> None:
    """G9: no writes in a steady state."""
    stage = await risen()
    await stage.run(60)
    assert stage.made(*WRITES) == []


async def test_a_report_waits_for_company_and_then_for_the_pause() -> None:
    """Several observations share one write, and writes that only report keep their distance."""
    stage = await risen()
    begun = stage.clock.now()
    stage.restart("web-1")
    due = await stage.turn()
    assert stage.made(Verb.STATUS) == []
    assert due == begun + STATUS_SETTLE
    stage.restart("web-2")
    await stage.until_due(due, within=0.5)
    await stage.turn()
    assert len(stage.made(Verb.STATUS)) == 1
    assert stage.status()["readyReplicas"] == 1
    written = stage.clock.now()
    stage.clock.advance(0.1)
    stage.restart("web-3")
    due = await stage.turn()
    assert due == written + STATUS_PAUSE
    await stage.until_due(due, within=2.0)
    await stage.turn()
    assert len(stage.made(Verb.STATUS)) == 2


async def test_a_set_that_is_gone_is_forgotten_with_all_it_watched() -> None:
    """P-23: nobody is left who uses the probe, so nothing is sent."""
    stage = await risen()
    assert stage.operator.probes.next_end() is not None
    stage.server.delete_resource("ScaleSet", *KEY)
    assert await stage.turn() is None
    assert stage.operator.probes.next_end() is None
    assert stage.reconciler.last_plan(KEY) is None


async def test_a_set_that_vanished_unheard_is_forgotten_at_the_first_write() -> None:
    stage = Stage()
    stage.operator.hear()
    stage.server.delete_resource("ScaleSet", *KEY)
    assert await stage.reconciler.turn(KEY) is None
    assert stage.operator.resources.keys() == ()
    assert stage.made(*ACTS) == []


async def test_a_set_of_the_same_name_made_anew_is_never_given_the_old_ones_status() -> None:
    stage = Stage()
    stage.operator.hear()
    stage.server.delete_resource("ScaleSet", *KEY)
    stage.server.apply("ScaleSet", *KEY, set_spec(1))
    await stage.reconciler.turn(KEY)
    assert stage.status() == {}
    await stage.turn()
    assert stage.pods() == ["web-1"]


async def test_a_right_that_is_missing_is_waited_for() -> None:
    """The status is refused: nothing is done, and the queue tries again with growing waits."""
    stage = Stage()
    stage.operator.faults.script(Verb.STATUS, Fault.FORBIDDEN)
    with pytest.raises(Unavailable, match="refused"):
        await stage.turn()
    assert stage.made(*ACTS) == []


async def test_a_key_nobody_knows_has_an_empty_turn() -> None:
    stage = Stage()
    assert await stage.turn(Key("nowhere", "nothing")) is None
    assert stage.cluster.wire.requests == []


async def test_events_are_told_once_their_record_stands() -> None:
    """R-46: and not for a record that failed."""
    stage = await risen()
    stage.cluster.told.clear()
    await failing(stage)
    told = [note.reason for _, note in stage.cluster.told]
    assert told == [Reason.REPAIR_STARTED]


async def test_a_record_that_failed_tells_nothing() -> None:
    stage = await risen()
    stage.cluster.told.clear()
    stage.operator.faults.choose = lambda r: Fault.CONFLICT if r.verb is Verb.STATUS else None
    with pytest.raises(AssertionError, match="was not deleted"):
        await failing(stage)
    assert stage.cluster.told == []


async def test_what_was_heard_while_a_record_was_answered_is_decided_on() -> None:
    """X-07: a change that overtakes the answer is neither lost nor overwritten."""
    stage = Stage()

    class Edit(Hooks):
        async def after(self, request: Request) -> None:
            if request.verb is Verb.STATUS and len(stage.made(Verb.STATUS)) == 1:
                stage.change_spec(replicas=1)
                stage.operator.hear()
                await yield_to_all()

    stage.cluster.wire.hooks = Edit()
    due = await stage.turn()
    for _ in range(20):
        await stage.until_due(due, within=RESERVE.total_seconds())
        due = await stage.reconciler.turn(KEY)
        stage.operator.hear()
    assert len([p for p in stage.server.pods(NAMESPACE) if p.live]) == 1
    assert stage.status()["observedGeneration"] == 2


async def test_pods_are_listed_live_before_any_is_chosen_to_go() -> None:
    """Protocol rule 24."""
    stage = await risen()
    seen = Gathered()
    stage.cluster.wire.hooks = seen
    stage.change_spec(replicas=2)
    await stage.turn()
    verbs = [r.verb for r in seen.order if r.verb in (Verb.LIST, Verb.STATUS, Verb.DELETE)]
    assert verbs == [Verb.LIST, Verb.STATUS, Verb.DELETE]


async def test_two_sets_have_turns_of_their_own() -> None:
    stage = Stage(1)
    other = Key(NAMESPACE, "api")
    spec = set_spec(2)
    spec["selector"] = {"matchLabels": {"app": "api"}}
    spec["template"]["metadata"] = {"labels": {"app": "api"}}
    stage.server.apply("ScaleSet", *other, spec)
    await stage.turn()
    await stage.turn(other)
    assert stage.pods() == ["api-1", "api-2", "web-1"]
    for key in (KEY, other):
        plan = stage.reconciler.last_plan(key)
        assert plan is not None
        assert plan.status.repairs.in_flight == ()

"""Carrying out a plan: in which order, how many at once, and what a failure leaves behind."""

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import ANNOTATION_TERMINATE_AT, Reason, VMHealth, format_time
from scaleset_operator.core.plan import (
    Action,
    AdoptInstance,
    GiveNotice,
    PublishHealth,
    Purpose,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.reconciler.act import LARGEST_BATCH, Actor
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import Unavailable
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.reconciler.stage import FAR_FUTURE, Gathered, Stage, creation, deletion
from tests.support.fake_clock import T0


class Acting:
    """An actor on a stage; the plans are the test's own."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.memory = Memory()
        self.seen = Gathered()
        self.stage.cluster.wire.hooks = self.seen
        self.faults = self.stage.operator.faults

    async def act(self, *actions: Action, not_after: int = FAR_FUTURE) -> bool:
        actor = Actor(self.stage.cluster, self.stage.clock)
        return await actor.act(self.stage.owner(), actions, self.memory, not_after)

    async def with_pods(self, count: int) -> list[FakePod]:
        for number in range(1, count + 1):
            await self.act(creation(number))
        self.stage.clock.advance(5)
        self.stage.operator.hear()
        self.seen.order.clear()
        self.seen.batches.clear()
        return [self.stage.pod(f"web-{number}") for number in range(1, count + 1)]


@pytest.fixture
def acting() -> Acting:
    return Acting()


def publication(pod: FakePod, reason: Reason = Reason.WRONG_STATUS) -> PublishHealth:
    return PublishHealth(
        name=pod.name,
        uid=pod.uid,
        health=VMHealth.UNHEALTHY,
        reason=reason,
        message="",
        in_rotation=False,
    )


async def test_creates_start_slowly_and_double_with_each_success(acting: Acting) -> None:
    assert await acting.act(*(creation(number) for number in range(1, 12)))
    assert [len(batch) for batch in acting.seen.batches] == [1, 2, 4, 4]
    assert len(acting.stage.pods()) == 11


async def test_a_batch_of_creates_never_grows_beyond_a_bound(acting: Acting) -> None:
    await acting.act(*(creation(number) for number in range(1, 2_000)))
    sizes = [len(batch) for batch in acting.seen.batches]
    assert max(sizes) == LARGEST_BATCH
    assert sum(sizes) == 1_999


async def test_the_first_failure_ends_the_creates(acting: Acting) -> None:
    acting.faults.choose = lambda r: Fault.SERVER_ERROR if r.name == "web-3" else None
    with pytest.raises(Unavailable):
        await acting.act(*(creation(number) for number in range(1, 12)))
    assert acting.seen.batches == [["web-1"], ["web-2", "web-3"]]
    assert acting.stage.pods() == ["web-1", "web-2"]


async def test_a_refused_create_says_why_and_waits(acting: Acting) -> None:
    acting.stage.server.quota["shop"] = 0
    assert not await acting.act(creation(1), creation(2))
    assert acting.seen.batches == [["web-1"]]
    assert acting.memory.create_refused is not None
    reason, message, until = acting.memory.create_refused
    assert reason is Reason.CREATE_FORBIDDEN
    assert "exceeded quota" in message
    assert until > acting.stage.clock.now()


async def test_a_create_that_passes_ends_the_wait(acting: Acting) -> None:
    acting.faults.script(Verb.CREATE, Fault.FORBIDDEN)
    assert not await acting.act(creation(1))
    assert await acting.act(creation(1))
    assert acting.memory.create_refused is None
    assert acting.memory.create_refusals == 0


async def test_a_taken_name_is_never_tried_again_and_stops_no_other(acting: Acting) -> None:
    acting.stage.server.create_pod(
        FakePod(namespace="shop", name="web-1", spec={"containers": [{"name": "x", "image": "y"}]})
    )
    assert not await acting.act(creation(1), creation(2), creation(3))
    assert acting.memory.unusable == {"web-1"}
    assert acting.stage.pods() == ["web-1", "web-2", "web-3"]


async def test_a_create_whose_answer_was_lost_is_done_once(acting: Acting) -> None:
    """R-16: what was created and not answered is ours, and not created again."""
    acting.faults.script(Verb.CREATE, Fault.DROPPED)
    with pytest.raises(Unavailable):
        await acting.act(creation(1))
    assert await acting.act(creation(1))
    assert acting.stage.pods() == ["web-1"]
    assert acting.memory.unusable == set()


async def test_a_replacement_is_created_after_its_victims_delete(acting: Acting) -> None:
    """Protocol rule 7."""
    first, second = await acting.with_pods(2)
    assert await acting.act(
        creation(4, after=second.uid),
        deletion(first),
        creation(3, after=first.uid),
        deletion(second),
    )
    verbs = [request.verb for request in acting.seen.order]
    assert verbs == [Verb.DELETE] * 2 + [Verb.CREATE] * 2
    assert acting.stage.pod("web-1").terminating
    assert acting.stage.pods() == ["web-1", "web-2", "web-3", "web-4"]


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.FORBIDDEN, Fault.INVALID])
async def test_without_its_victims_delete_a_replacement_is_not_created(
    acting: Acting, fault: Fault
) -> None:
    """Protocol rule 7, R-11: the others go on."""
    first, second = await acting.with_pods(2)
    acting.faults.script(Verb.DELETE, fault)
    assert not await acting.act(
        deletion(first),
        deletion(second),
        creation(3, after=first.uid),
        creation(4, after=second.uid),
    )
    assert acting.stage.pods() == ["web-1", "web-2", "web-4"]
    assert not acting.stage.pod("web-1").terminating


async def test_a_refused_delete_holds_that_instance_back_until_one_is_accepted(
    acting: Acting,
) -> None:
    """Protocol rule 4."""
    first, second = await acting.with_pods(2)
    acting.faults.script(Verb.DELETE, Fault.FORBIDDEN)
    await acting.act(deletion(first), deletion(second))
    assert acting.memory.refused_until.keys() == {"web-1"}
    assert await acting.act(deletion(first))
    assert acting.memory.refused_until == acting.memory.refusals == {}


async def test_a_delete_of_a_pod_that_has_changed_is_not_carried_out(acting: Acting) -> None:
    """R-21, protocol rule 5: the UID and the resourceVersion of the read go with it."""
    first, second = await acting.with_pods(2)
    assert not await acting.act(
        deletion(first, resource_version="1"), deletion(second, uid="somebody-else")
    )
    assert not acting.stage.pod("web-1").terminating
    assert not acting.stage.pod("web-2").terminating


async def test_an_act_that_is_too_old_is_not_sent(acting: Acting) -> None:
    """Protocol rule 5, X-07: a process that was stopped and goes on does nothing old."""
    (first,) = await acting.with_pods(1)
    now = acting.stage.clock.boottime_ns()
    assert not await acting.act(
        deletion(first), creation(2), creation(3, after=first.uid), not_after=now - 1
    )
    assert acting.stage.pods() == ["web-1"]
    assert not acting.stage.pod("web-1").terminating
    assert await acting.act(deletion(first), not_after=now)


async def test_a_delete_with_an_end_of_its_own_is_not_sent_after_it(acting: Acting) -> None:
    """Protocol rule 5: a fresh record makes no old decision new."""
    (first,) = await acting.with_pods(1)
    now = acting.stage.clock.now()
    assert not await acting.act(deletion(first, not_after=now - timedelta(milliseconds=1)))
    assert not acting.stage.pod("web-1").terminating
    assert await acting.act(deletion(first, not_after=now))
    assert acting.stage.pod("web-1").terminating


async def test_health_is_published_whatever_becomes_of_the_acts(acting: Acting) -> None:
    first, second = await acting.with_pods(2)
    acting.faults.script(Verb.DELETE, Fault.SERVER_ERROR)
    with pytest.raises(Unavailable):
        await acting.act(deletion(first), publication(second))
    assert acting.stage.pod("web-2").in_rotation is False


async def test_health_that_cannot_be_published_is_tried_again(acting: Acting) -> None:
    first, second = await acting.with_pods(2)
    acting.faults.script(Verb.PUBLISH, Fault.TOO_MANY)
    with pytest.raises(Unavailable) as raised:
        await acting.act(publication(first), publication(second))
    assert raised.value.retry_after == acting.faults.retry_after
    assert acting.stage.pod("web-2").in_rotation is False


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.FORBIDDEN])
async def test_health_that_is_not_wanted_stops_nothing(acting: Acting, fault: Fault) -> None:
    (first,) = await acting.with_pods(1)
    acting.faults.script(Verb.PUBLISH, fault)
    assert await acting.act(publication(first), creation(2))
    assert acting.stage.pods() == ["web-1", "web-2"]


async def test_health_of_a_pod_that_is_gone_is_dropped(acting: Acting) -> None:
    """P-30: a verdict on one UID never reaches another."""
    (first,) = await acting.with_pods(1)
    acting.stage.server.remove_pod(first)
    await acting.act(creation(1))
    assert await acting.act(publication(first))
    assert acting.stage.pod("web-1").in_rotation is None


async def test_orphans_are_taken_and_strays_let_go_before_anything_else(acting: Acting) -> None:
    first, second = await acting.with_pods(2)
    orphan = acting.stage.server.change_pod(second, controller=None)
    adopt = AdoptInstance(
        name=orphan.name, uid=orphan.uid, resource_version=str(orphan.resource_version)
    )
    release = ReleaseInstance(
        name=first.name, uid=first.uid, resource_version=str(first.resource_version)
    )
    assert await acting.act(creation(3), adopt, release)
    assert [r.verb for r in acting.seen.order] == [Verb.ADOPT, Verb.RELEASE, Verb.CREATE]
    assert acting.stage.pod("web-1").controller is None
    assert acting.stage.pod("web-2").controller is not None


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.FORBIDDEN])
async def test_an_orphan_that_cannot_be_taken_stops_nothing(acting: Acting, fault: Fault) -> None:
    (first,) = await acting.with_pods(1)
    orphan = acting.stage.server.change_pod(first, controller=None)
    acting.faults.script(Verb.ADOPT, fault)
    adopt = AdoptInstance(
        name=orphan.name, uid=orphan.uid, resource_version=str(orphan.resource_version)
    )
    assert await acting.act(adopt, creation(2))
    assert acting.stage.pods() == ["web-1", "web-2"]


async def test_a_plan_without_acts_sends_nothing(acting: Acting) -> None:
    assert await acting.act()
    assert acting.seen.order == []


async def test_a_renewal_that_is_refused_holds_that_instance_back(acting: Acting) -> None:
    """Protocol rule 4: as a refused DELETE does."""
    (pod,) = await acting.with_pods(1)
    acting.faults.choose = lambda r: Fault.FORBIDDEN if r.verb is Verb.RENEW else None
    assert not await acting.act(renewal(pod))
    assert "web-1" in acting.memory.refused_until
    acting.faults.choose = lambda _: None
    assert await acting.act(renewal(pod))
    assert "web-1" not in acting.memory.refused_until
    assert acting.stage.pod("web-1").spec["containers"][0]["image"] == "web:2"


async def test_a_renewal_of_a_pod_that_has_changed_or_gone_is_not_carried_out(
    acting: Acting,
) -> None:
    """Protocol rules 5 and 6."""
    changed, gone = await acting.with_pods(2)
    acting.stage.server.change_pod(changed, annotations={"a": "b"})
    acting.stage.server.remove_pod(gone)
    assert not await acting.act(renewal(changed))
    assert not await acting.act(renewal(gone))
    assert acting.memory.refused_until == {}


async def test_a_renewal_past_its_own_deadline_is_not_sent(acting: Acting) -> None:
    """Protocol rule 5: however fresh the turn's own record is."""
    (pod,) = await acting.with_pods(1)
    past = acting.stage.clock.now() - timedelta(seconds=1)
    assert not await acting.act(renewal(pod, not_after=past))
    assert acting.stage.pod("web-1").spec["containers"][0]["image"] == "web:1"


def renewal(pod: FakePod, **changes: Any) -> RenewInstance:
    values: dict[str, Any] = {
        "name": pod.name,
        "uid": pod.uid,
        "resource_version": str(pod.resource_version),
        "images": ((pod.spec["containers"][0]["name"], "web:2"),),
        "renewed_from": "0",
        "model": "m2",
        "purpose": Purpose.REPAIR,
    }
    return RenewInstance(**(values | changes))


async def test_a_notice_is_given_in_one_write_and_lets_its_replacement_follow(
    acting: Acting,
) -> None:
    """R-51, protocol rule 8: deadline and gate; no DELETE."""
    (pod,) = await acting.with_pods(1)
    assert await acting.act(notice(pod), creation(2, after=pod.uid))
    assert [request.verb for request in acting.seen.order] == [Verb.NOTICE, Verb.CREATE]
    told = acting.stage.pod("web-1")
    assert told.annotations[ANNOTATION_TERMINATE_AT] == format_time(T0)
    assert told.in_rotation is False
    assert told.live


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.INVALID])
async def test_a_refused_notice_holds_that_instance_back(acting: Acting, fault: Fault) -> None:
    """Protocol rule 4: as a refused DELETE does; the others go on."""
    first, second = await acting.with_pods(2)
    acting.faults.script(Verb.NOTICE, fault)
    assert not await acting.act(notice(first), notice(second))
    assert acting.memory.refused_until.keys() == {"web-1"}
    assert ANNOTATION_TERMINATE_AT not in acting.stage.pod("web-1").annotations
    assert ANNOTATION_TERMINATE_AT in acting.stage.pod("web-2").annotations


async def test_a_notice_to_a_pod_that_has_changed_or_gone_is_not_given(acting: Acting) -> None:
    """Protocol rule 5: what was read live, or nothing."""
    changed, gone = await acting.with_pods(2)
    acting.stage.server.change_pod(changed, labels={**changed.labels, "tier": "gold"})
    acting.stage.server.remove_pod(gone)
    assert not await acting.act(notice(changed), notice(gone))
    assert ANNOTATION_TERMINATE_AT not in acting.stage.pod("web-1").annotations
    assert acting.memory.refused_until == {}


async def test_a_notice_past_its_own_deadline_is_not_sent(acting: Acting) -> None:
    """Protocol rule 5: five seconds after the record of its repair, however fresh the turn's."""
    (pod,) = await acting.with_pods(1)
    past = acting.stage.clock.now() - timedelta(seconds=1)
    assert not await acting.act(notice(pod, not_after=past))
    assert ANNOTATION_TERMINATE_AT not in acting.stage.pod("web-1").annotations


def notice(pod: FakePod, **changes: Any) -> GiveNotice:
    values: dict[str, Any] = {
        "name": pod.name,
        "uid": pod.uid,
        "resource_version": str(pod.resource_version),
        "terminate_at": T0,
    }
    return GiveNotice(**(values | changes))

"""What is broken on purpose, so that an invariant shows that it can fail: one rig for each.

A rig puts something wrong in the place of one function of the operator, or makes the whole
`decide` say something that it must not. The scenario is one in which that matters.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairResult
from scaleset_operator.core import decide as deciding
from scaleset_operator.core import gates, health, ledger, rollout, rollout_limits, scene, witness
from scaleset_operator.core.doubt import Doubtfulness, Found
from scaleset_operator.core.observed import Instance, Observed, ProberView
from scaleset_operator.core.plan import (
    Action,
    CreateInstance,
    DeleteInstance,
    Plan,
    Purpose,
    Record,
    RenewInstance,
)
from tests.model import acts, thought
from tests.model.states import BEGAN, OLD_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from scaleset_operator.core.naming import Names

REAL: Final = deciding.decide


class Broken(NamedTuple):
    """An invariant, where it is to fire, and what is broken for that."""

    invariant: str
    scenario: str
    rig: Callable[[pytest.MonkeyPatch], None]


def _deciding(wrong: Callable[[Observed, Plan], Plan]) -> Callable[[pytest.MonkeyPatch], None]:
    """The real `decide`, and then something wrong with its plan."""

    def decide(spec: Any, observed: Observed, now: Any) -> Plan:
        return wrong(observed, REAL(spec, observed, now))

    return lambda patch: patch.setattr(deciding, "decide", decide)


def _acting(more: Callable[[Observed], list[Action]]) -> Callable[[pytest.MonkeyPatch], None]:
    """Acts that nobody has decided on, where the plan has none to be recorded first."""

    def wrong(observed: Observed, plan: Plan) -> Plan:
        if plan.record is Record.NOW:
            return plan
        return replace(plan, actions=(*plan.actions, *more(observed)))

    return _deciding(wrong)


def _delete(pod: Instance, purpose: Purpose = Purpose.REPAIR) -> DeleteInstance:
    return DeleteInstance(
        name=pod.name, uid=pod.uid, resource_version=pod.resource_version, purpose=purpose
    )


def _create(number: int) -> CreateInstance:
    return CreateInstance(
        name=f"web-{number}", instance_id=number, update_domain=0, model=OLD_MODEL
    )


def _deletes_the_well(observed: Observed) -> list[Action]:
    well = [i for i in observed.instances if i.live and i.published]
    return [_delete(i) for i in well if i.published and i.published.health is VMHealth.HEALTHY]


def _deletes_the_sick(observed: Observed) -> list[Action]:
    sick = [i for i in observed.instances if i.live and i.published]
    return [_delete(i) for i in sick if i.published and i.published.health is VMHealth.UNHEALTHY]


def _deletes_the_told(observed: Observed) -> list[Action]:
    return [_delete(i) for i in observed.instances if i.live and i.terminate_at]


def _creates_again(observed: Observed) -> list[Action]:
    there = {i.name for i in observed.instances}
    return [] if "web-1" in there else [_create(1)]


def _without_gate(group: str, name: str) -> Callable[[pytest.MonkeyPatch], None]:
    left = tuple(gate for gate in getattr(gates, group) if gate.__name__ != name)
    assert len(left) == len(getattr(gates, group)) - 1, name
    return lambda patch: patch.setattr(gates, group, left)


def _with_repairs(plan: Plan, **changes: Any) -> Plan:
    repairs = plan.status.repairs.model_copy(update=changes)
    status = plan.status.model_copy(update={"repairs": repairs})
    return replace(plan, status=status, record=Record.NOW, actions=())


def _resumes_by_itself(observed: Observed, plan: Plan) -> Plan:
    if observed.status.repairs.suspended_since is None:
        return plan
    return _with_repairs(plan, suspended_since=None)


def _forgets_the_told(observed: Observed, plan: Plan) -> Plan:
    told = {i.uid for i in observed.instances if i.live and i.terminate_at}
    if not told:
        return plan
    left = tuple(e for e in plan.status.repairs.in_flight if e.uid not in told)
    return _with_repairs(plan, in_flight=left)


def _old_models(_: Observed, plan: Plan) -> Plan:
    acts_ = tuple(
        replace(a, model=OLD_MODEL) if isinstance(a, CreateInstance | RenewInstance) else a
        for a in plan.actions
    )
    return replace(plan, actions=acts_)


def _convicts(patch: pytest.MonkeyPatch) -> None:
    """Whoever is silent is guilty."""
    patch.setattr(health, "weigh", lambda *_: Found(kind=Doubtfulness.CONVICTED))


def _lends(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(scene, "batch_allowance", lambda total, percent: total * percent // 100 + 2)


def _closes_at_once(patch: pytest.MonkeyPatch) -> None:
    def replaced(_: Any, __: Names, entry: Any, progress: ledger.Progress) -> None:
        ledger.close(progress, entry, RepairResult.SUCCEEDED, Reason.ANSWERING)

    patch.setattr(ledger, "_replace", replaced)


def _has_no_floor(patch: pytest.MonkeyPatch) -> None:
    for asks in (rollout, rollout_limits):  # Before the record, and again before the DELETE.
        patch.setattr(asks, "spare", lambda *_: 9)
    patch.setattr(rollout, "max_batch", lambda _: 9)


def _never_too_old(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(acts, "too_old", lambda *_: False)


def _has_long_watched(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(thought, "prober_of", lambda _: ProberView(beating_since=BEGAN))


def _sends_one_more(patch: pytest.MonkeyPatch) -> None:
    def await_word(scene_: Any, doubt: Any, pod: Instance, _: Any) -> Any:
        changes = {"witness": None, "witness_uid": None, "next_time": scene_.now}
        return doubt.model_copy(update=changes) if pod.started is None else doubt

    patch.setattr(witness, "_await_word", await_word)
    patch.setattr(deciding, "witnesses", lambda sc, _: frozenset(i.name for i in sc.live[2:]))


def _counts_witnesses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deciding, "witnesses", lambda *_: frozenset())


BROKEN: Final = (
    Broken("the share under repair is kept", "two sick, two operators", _lends),
    Broken("a repair begins only where there is room", "two sick, two operators", _lends),
    Broken("recorded before it is done", "one fails meanwhile", _acting(_deletes_the_sick)),
    Broken("nothing is done that was decided long ago", "one recovers in time", _never_too_old),
    Broken("only the sick are repaired", "one fails meanwhile", _acting(_deletes_the_well)),
    Broken(
        "nobody is repaired inside its grace",
        "repairs are enabled",
        _without_gate("OF_THE_INSTANCE", "_out_of_grace"),
    ),
    Broken(
        "the protected are left alone",
        "protected in the middle",
        _without_gate("OF_THE_INSTANCE", "_unprotected"),
    ),
    Broken("no name is made twice", "one fails meanwhile", _acting(_creates_again)),
    Broken(
        "nobody is made who is not wanted", "one fails meanwhile", _acting(lambda _: [_create(9)])
    ),
    Broken(
        "whoever is made is of the latest model",
        "a rollout during a repair",
        _deciding(_old_models),
    ),
    Broken("a rollout keeps the floor", "rollout, scale-in and repair", _has_no_floor),
    Broken("a slot is freed when it is made up for", "two sick, two operators", _closes_at_once),
    Broken("what was suspended stays so until asked", "suspended", _deciding(_resumes_by_itself)),
    Broken(
        "no repair begins while suspended",
        "suspended",
        _without_gate("OF_THE_SET", "_not_suspended_by_platform"),
    ),
    Broken("who is to be told goes in its time", "told to go", _acting(_deletes_the_told)),
    Broken("a notice given is carried out", "told to go", _deciding(_forgets_the_told)),
    Broken(
        "no older image over a newer model",
        "reimaged, and a new model",
        _deciding(_old_models),
    ),
    Broken("nobody goes for silence alone", "a silent set", _convicts),
    Broken("all others are heard first", "one is heard late", _convicts),
    Broken("sight has been back for a timeout", "one of a silent set speaks", _convicts),
    Broken("a fallen node is waited for", "a node is lost", _convicts),
    Broken("a full timeout was watched", "probed, and the operator crashes", _has_long_watched),
    Broken("a silent set keeps its rotation", "a silent set", _convicts),
    Broken("at most one witness", "a silent set", _sends_one_more),
    Broken("a witness is not trimmed", "a silent set", _counts_witnesses),
)

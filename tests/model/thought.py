"""What the real `decide` makes of an operator's view, with what the model keeps of it.

Asked once for each view and moment (`forget` begins anew). Of the status only that is kept which a
later decision is made from; the rest only reports, and a test holds `decide` to that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scaleset_operator.api.base import (
    ANNOTATION_RESUME_REQUESTED_AT,
    VMHealth,
    format_time,
)
from scaleset_operator.core import decide as deciding
from scaleset_operator.core.observed import Instance, Observed, TemplateView
from scaleset_operator.core.plan import Action, CreateInstance, Plan, PublishHealth, Record
from tests.model.pool import same
from tests.model.sight import PROBE, neighbours, prober_of
from tests.model.states import BEGAN, IMAGES, Operator, SetView, Wanted, moment

if TYPE_CHECKING:
    from scaleset_operator.api.scalesetstatus import ScaleSetStatus

REPORTED: Final[dict[str, Any]] = {
    "replicas": 0,
    "ready_replicas": 0,
    "updated_replicas": 0,
    "healthy_replicas": 0,
    "unhealthy_replicas": 0,
    "unknown_replicas": 0,
    "repairing_replicas": 0,
    "protected_replicas": 0,
    "latest_model": "",
    "selector": "",
    "unhealthy_instances": (),
    "scheduled_events_incarnation": None,
}
"""What stands in a status for people only."""


class Thought(NamedTuple):
    """A plan as far as it is carried out here.

    Attributes:
        reads, list_live, record: as in the plan.
        view: the ScaleSet with the plan's status.
        hand: its acts.
        fenced: whether one of them needs a record of this turn.
    """

    reads: frozenset[str]
    list_live: bool
    record: Record
    view: SetView
    hand: tuple[Action, ...]
    fenced: bool

    @property
    def rests(self) -> bool:
        """Whether nothing follows from it."""
        return not (self.reads or self.list_live or self.hand or self.record)


_THOUGHT: Final[dict[tuple[Any, ...], Thought]] = {}


def forget() -> None:
    """Ask `decide` anew from here on: it may be another one."""
    _THOUGHT.clear()


def thought(operator: Operator, second: int) -> Thought:
    """What this operator decides on what it knows, at that second."""
    key = (
        id(operator.pods),
        id(operator.view),
        operator.live_reads,
        operator.listed,
        operator.unusable,
        operator.refused,
        id(operator.sight),
        second,
    )
    found = _THOUGHT.get(key)
    if found is None:
        view = operator.known
        # Through the module, so that a test may put another `decide` in its place.
        plan = deciding.decide(view.wanted.spec(), observation(operator), moment(second))
        found = _THOUGHT[key] = _kept(view, plan)
    return found


def _kept(view: SetView, plan: Plan) -> Thought:
    status = kept(plan.status)
    record = plan.record
    if record is Record.SOON and status == view.status:
        record = Record.NONE
    after = view if status == view.status else same(SetView(view.wanted, status))
    return Thought(
        reads=plan.reads,
        list_live=plan.list_live,
        record=record,
        view=after,
        hand=same(tuple(sorted(map(_plain, plan.actions), key=_place))),
        fenced=any(not isinstance(act, PublishHealth) for act in plan.actions),
    )


def _place(act: Action) -> int:
    """Creates come when all else was answered, as `Actor` has it."""
    return isinstance(act, CreateInstance) + (not isinstance(act, PublishHealth))


def _plain(act: Action) -> Action:
    """The act without its words for people."""
    if isinstance(act, PublishHealth):
        return replace(act, message="", gate_message="", gate_reason=None)
    return act


def kept(status: ScaleSetStatus) -> ScaleSetStatus:
    """What of a status a later decision is made from."""
    repairs = status.repairs.model_copy(
        update={"batch_limit": 0, "next_eligible_time": None, "history": ()}
    )
    rollout = status.rollout
    if rollout is not None:
        rollout = rollout.model_copy(update={"message": "", "start_time": BEGAN})
    accepted = tuple(
        c.model_copy(update={"message": ""}) for c in status.conditions if c.type == "Accepted"
    )
    services = tuple(
        s.model_copy(update={"since_time": BEGAN}) for s in status.orchestration_services
    )
    changes = {"repairs": repairs, "rollout": rollout, "conditions": accepted}
    return same(
        status.model_copy(update={**REPORTED, **changes, "orchestration_services": services})
    )


def observation(operator: Operator) -> Observed:
    """What one operator decides on."""
    view, sight = operator.known, operator.sight
    wanted = view.wanted
    fields: dict[str, Any] = {}
    if wanted.terms.probed:
        fields = {
            "probe": PROBE,
            "prober": prober_of(sight),
            "evidence": dict(sight.found),
            "neighbours": neighbours(operator.pods, sight),
            "nodes": {p.node: p.node not in sight.down for p in operator.pods if p.node},
        }
    return Observed(
        namespace="shop",
        name="web",
        uid="uid-web",
        generation=1,
        status=view.status,
        template=TemplateView(model=wanted.model, images=(("web", IMAGES[wanted.model]),)),
        instances=operator.pods,
        live_reads=operator.live_reads,
        listed=operator.listed,
        unusable=operator.unusable,
        refused_until={name: moment(until) for name, until in operator.refused},
        annotations=_asked(wanted),
        **fields,
    )


def _asked(wanted: Wanted) -> dict[str, str]:
    if wanted.resume_at is None:
        return {}
    return {ANNOTATION_RESUME_REQUESTED_AT: format_time(moment(wanted.resume_at))}


def shown(pod: Instance) -> VMHealth | None:
    """The health that stands on a pod, for all to see."""
    return None if pod.published is None else pod.published.health

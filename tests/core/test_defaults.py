"""What is left out says nothing: no value of `core` claims of itself what nobody has seen or said.

A field that an adapter does not fill in, or a rule does not set, is the empty value of its type;
the few that are not are those where saying nothing has a meaning, and stand here by name.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from types import NoneType
from typing import Any, Final, get_args, get_origin, get_type_hints

import pytest

from scaleset_operator.core import (
    answers,
    attempts,
    disruption,
    doubt,
    election,
    evidence,
    explain,
    health,
    ledger,
    objections,
    observed,
    plan,
    policies,
    repair,
    retold,
    revisions,
    rollout,
    rollout_inplace,
    scaling,
    scheduled_events,
    surge,
    ways,
    windowview,
    witness,
)

VALUES: Final[tuple[type, ...]] = (
    answers.Answers,
    attempts.Attempted,
    disruption.Budget,
    disruption.Disruption,
    doubt.Found,
    election.Candidate,
    election.Moment,
    election.Seen,
    election.Standing,
    evidence.Evidence,
    evidence.Neighbour,
    explain.Explanation,
    health.RotationWord,
    health.Verdict,
    ledger.Progress,
    objections.Objection,
    observed.Containers,
    observed.Fleet,
    observed.Instance,
    observed.Observed,
    observed.ProberView,
    observed.ProbeView,
    observed.Published,
    observed.TemplateView,
    plan.CreateInstance,
    plan.DeleteInstance,
    plan.Decision,
    plan.Gate,
    plan.GiveNotice,
    plan.Note,
    plan.Plan,
    plan.PublishHealth,
    plan.RenewInstance,
    policies.AddressBlock,
    policies.Ingress,
    policies.Peer,
    policies.Policy,
    policies.PortRange,
    policies.ProberPlace,
    policies.Requirement,
    policies.Surroundings,
    repair.Opened,
    retold.Read,
    revisions.Revision,
    revisions.Upkeep,
    rollout.Rollout,
    rollout_inplace.Renewals,
    scaling.Scaling,
    scheduled_events.ScheduledEvent,
    surge.Surge,
    ways.Way,
    witness.Doubts,
)
MEANT: Final[dict[tuple[type, str], Any]] = {
    (disruption.Budget, "current"): True,
    (election.Moment, "fit"): True,
    (objections.Objection, "lasts"): True,
    (observed.Observed, "view_is_fresh"): True,
    (observed.ProberView, "sees"): True,
    (observed.ProbeView, "interval"): timedelta(seconds=15),
    (observed.ProbeView, "timeout"): timedelta(seconds=31),
    (observed.TemplateView, "checked"): True,
    (plan.Plan, "record"): plan.Record.NONE,
    (policies.PortRange, "protocol"): "TCP",
    (windowview.WindowView, "turn"): True,
    (scheduled_events.ScheduledEvent, "status"): scheduled_events.EventStatus.SCHEDULED,
}
"""P-05 and P-11 for the times of a probe, Kubernetes for the protocol of a port; the others speak
of what is so as a rule."""


def defaults(kind: type) -> dict[str, Any]:
    """The values of the fields that may be left out, in a value that was made without them."""
    if not is_dataclass(kind):
        required = len(kind.__annotations__) - len(kind._field_defaults)  # type: ignore[attr-defined] # a named tuple
        made = kind(*[None] * required)
        return {name: getattr(made, name) for name in kind._field_defaults}  # type: ignore[attr-defined] # as above
    optional = [f.name for f in fields(kind) if (f.default, f.default_factory) != (MISSING,) * 2]
    made = kind(**{f.name: None for f in fields(kind) if f.name not in optional and f.init})
    return {name: getattr(made, name) for name in optional}


def empty(hint: Any) -> Any:
    """The value of a type that says nothing."""
    if NoneType in get_args(hint):
        return None
    kind = get_origin(hint) or hint
    return {} if kind is Mapping else kind()


@pytest.mark.parametrize("kind", VALUES, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_what_is_left_out_says_nothing(kind: type) -> None:
    """Whoever claims something has to say it."""
    hints = get_type_hints(kind)
    found = defaults(kind)
    assert found, f"{kind.__name__} has no field that may be left out"
    for name, value in found.items():
        expected = MEANT[kind, name] if (kind, name) in MEANT else empty(hints[name])
        assert (value, type(value)) == (expected, type(expected)), name


def test_a_container_that_was_never_made_has_a_count_that_none_can_have() -> None:
    assert observed.NOT_MADE < 0
    assert observed.Containers() == observed.NO_CONTAINERS

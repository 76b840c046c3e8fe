"""What a person wishes of one instance: what is written, what is refused, how it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_REPAIR,
    ANNOTATION_TERMINATE_AT,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
)
from scaleset_operator.cli import instance_wishes as wishes
from scaleset_operator.cli.failures import Failure

if TYPE_CHECKING:
    from scaleset_operator.cli.acting import Act

DEADLINE = "2026-11-21T09:05:00Z"
OWNER = {
    "apiVersion": "scaleset.dev/v1alpha1",
    "kind": "ScaleSet",
    "name": "web",
    "uid": "u",
    "controller": True,
}


def pod(
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    phase: str = "Running",
    **metadata: Any,
) -> dict[str, Any]:
    """An instance, as the API server holds it."""
    return {
        "metadata": {
            "name": "web-7",
            "namespace": "shop",
            "labels": labels or {},
            "annotations": annotations or {},
            "ownerReferences": [OWNER],
            **metadata,
        },
        "status": {"phase": phase},
    }


def protect(raw: dict[str, Any]) -> Act:
    return wishes.protect(raw, wishes.ACTIONS)


def test_a_repair_is_requested_once() -> None:
    act = wishes.request_repair(pod())
    assert act.patch == {"metadata": {"annotations": {ANNOTATION_REPAIR: "requested"}}}
    assert (act.was, act.now) == ("not requested", "requested")
    assert wishes.request_repair(pod(annotations={ANNOTATION_REPAIR: "requested"})).patch == {}


def test_a_request_against_a_protection_says_that_the_protection_comes_first() -> None:
    act = wishes.request_repair(pod(labels={LABEL_PROTECT_FROM_SCALE_IN: "true"}))
    assert "protected from scale-in" in act.hint


@pytest.mark.parametrize(
    ("labels", "patch", "now"),
    [
        (wishes.ACTIONS, {LABEL_PROTECT_FROM_ACTIONS: "true"}, "from scale set actions"),
        (wishes.SCALE_IN, {LABEL_PROTECT_FROM_SCALE_IN: "true"}, "from scale-in"),
        (
            wishes.BOTH,
            {LABEL_PROTECT_FROM_SCALE_IN: "true", LABEL_PROTECT_FROM_ACTIONS: "true"},
            "from scale-in and scale set actions",
        ),
    ],
)
def test_a_protection_is_a_label(labels: tuple[str, ...], patch: dict[str, str], now: str) -> None:
    """R-49: per instance, absent by default."""
    act = wishes.protect(pod(), labels)
    assert act.patch == {"metadata": {"labels": patch}}
    assert (act.was, act.now) == ("none", now)
    assert wishes.protect(pod(labels=patch), labels).patch == {}


def test_taking_one_protection_away_leaves_the_other() -> None:
    both = {LABEL_PROTECT_FROM_SCALE_IN: "true", LABEL_PROTECT_FROM_ACTIONS: "true"}
    act = wishes.unprotect(pod(labels=both), wishes.SCALE_IN)
    assert act.patch == {"metadata": {"labels": {LABEL_PROTECT_FROM_SCALE_IN: None}}}
    assert act.now == "from scale set actions"
    assert wishes.unprotect(pod(), wishes.BOTH).patch == {}


def test_a_label_with_another_value_protects_nothing_and_is_taken_away() -> None:
    odd = {LABEL_PROTECT_FROM_ACTIONS: "yes"}
    assert wishes.protect(pod(labels=odd), wishes.ACTIONS).was == "none"
    assert wishes.unprotect(pod(labels=odd), wishes.BOTH).patch == {
        "metadata": {"labels": {LABEL_PROTECT_FROM_ACTIONS: None}}
    }


def test_a_termination_is_approved_only_after_its_notice() -> None:
    """R-54."""
    with pytest.raises(Failure, match="there is nothing to approve"):
        wishes.approve_termination(pod())
    noticed = {ANNOTATION_TERMINATE_AT: DEADLINE}
    act = wishes.approve_termination(pod(annotations=noticed))
    assert act.patch == {"metadata": {"annotations": {ANNOTATION_APPROVE_TERMINATION: "true"}}}
    assert (act.was, act.now) == (f"due at {DEADLINE}", "approved")
    approved = noticed | {ANNOTATION_APPROVE_TERMINATION: "true"}
    assert wishes.approve_termination(pod(annotations=approved)).patch == {}


@pytest.mark.parametrize("wish", [wishes.request_repair, wishes.approve_termination, protect])
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (pod(deletionTimestamp=DEADLINE), "is being deleted since"),
        (pod(phase="Failed"), "is over, in phase Failed"),
        (pod(phase="Succeeded"), "is over, in phase Succeeded"),
        (pod(ownerReferences=[]), "no ScaleSet controls it"),
        (pod(ownerReferences=[OWNER | {"kind": "ReplicaSet", "apiVersion": "apps/v1"}]), "no S"),
        (pod(ownerReferences=[OWNER | {"apiVersion": "scaleset.devil/v1"}]), "no ScaleSet"),
        (pod(ownerReferences=[OWNER | {"controller": False}]), "no ScaleSet controls it"),
    ],
)
def test_what_is_no_live_instance_is_refused(wish: Any, raw: dict[str, Any], said: str) -> None:
    with pytest.raises(Failure, match=said):
        wish(raw)

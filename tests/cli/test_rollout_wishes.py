"""Restart, undo and progress of a rollout: pure functions of the set and its history."""

from __future__ import annotations

from typing import Any

import pytest

from scaleset_operator.api.base import format_time
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.rollout_wishes import RESTARTED_AT, history, progress, restart, undo
from scaleset_operator.core.model import model_of
from tests.support.builders import raw_spec
from tests.support.fake_clock import T0


def template(image: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }


def scale_set(image: str = "web:3", **status: Any) -> dict[str, Any]:
    """A set of 4 on this image."""
    return {
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-web", "generation": 3},
        "spec": raw_spec(replicas=4, template=template(image)),
        "status": {"observedGeneration": 3, **status},
    }


def revision(number: int, image: str, owner: str = "uid-web") -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"web-{number}",
            "creationTimestamp": format_time(T0),
            "ownerReferences": [{"uid": owner, "controller": True, "kind": "ScaleSet"}],
        },
        "revision": number,
        "data": template(image),
    }


REVISIONS = [revision(3, "web:3"), revision(1, "web:1"), revision(2, "web:2")]


def test_the_history_is_the_sets_own_oldest_first() -> None:
    odd = [revision(9, "web:9", owner="uid-other"), {**revision(8, "web:8"), "data": None}]
    kept = history(scale_set(), [*REVISIONS, *odd])
    assert [(k.number, k.model) for k in kept] == [
        (n, model_of(template(f"web:{n}"))) for n in (1, 2, 3)
    ]


def test_undo_goes_to_the_revision_before_the_present_one() -> None:
    act = undo(scale_set(), history(scale_set(), REVISIONS), None)
    (operation,) = act.operations
    assert operation == {"op": "replace", "path": "/spec/template", "value": template("web:2")}
    assert act.was.startswith("at revision 3")
    assert act.now.startswith("at revision 2")


def test_undo_of_an_undo_goes_forward_again() -> None:
    """Going back gives the old template the greatest number, as with a Deployment."""
    back = [revision(1, "web:1"), revision(3, "web:3"), revision(4, "web:2")]
    act = undo(scale_set("web:2"), history(scale_set(), back), None)
    assert act.now.startswith("at revision 3")


def test_undo_to_a_revision_and_to_the_present_one() -> None:
    kept = history(scale_set(), REVISIONS)
    assert undo(scale_set(), kept, 1).operations[0]["value"] == template("web:1")
    assert undo(scale_set(), kept, 3).operations == ()


def test_the_same_template_in_another_spelling_is_no_earlier_one() -> None:
    """design.md section 3: models are compared without the image's spelling."""
    spelled = scale_set("docker.io/library/web:3")
    assert undo(spelled, history(spelled, REVISIONS), None).now.startswith("at revision 2")


@pytest.mark.parametrize(
    ("kept", "number", "said"),
    [
        (REVISIONS, 7, "--to-revision is 7: ScaleSet shop/web has 1, 2, 3"),
        (REVISIONS[:1], None, "no revision before the present one; there are: 3"),
        ([], None, "there are: none, for no history is kept"),
    ],
)
def test_a_revision_that_is_not_there_is_refused(
    kept: list[dict[str, Any]], number: int | None, said: str
) -> None:
    with pytest.raises(Failure, match=said):
        undo(scale_set(), history(scale_set(), kept), number)


def test_a_restart_is_the_annotation_that_kubectl_writes() -> None:
    act = restart(scale_set(), T0)
    annotations = {"metadata": {"annotations": {RESTARTED_AT: format_time(T0)}}}
    assert act.patch == {"spec": {"template": annotations}}
    assert (act.was, act.hint) == ("never restarted", "")


def test_a_second_restart_in_the_same_second_is_refused() -> None:
    raw = scale_set()
    raw["spec"]["template"]["metadata"]["annotations"] = {RESTARTED_AT: format_time(T0)}
    with pytest.raises(Failure, match="in this very second"):
        restart(raw, T0)


def test_mode_manual_is_told_for_nothing_moves_by_itself() -> None:
    raw = scale_set()
    raw["spec"]["upgradePolicy"] = {"mode": "Manual"}
    assert "Manual" in restart(raw, T0).hint


def condition(status: str, reason: str, message: str = "") -> dict[str, Any]:
    return {
        "type": "InstancesUpToDate",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_time(T0),
    }


def rolling(message: str, reason: str = "RollingOut") -> dict[str, Any]:
    at = format_time(T0)
    return {"model": "a-2", "startTime": at, "reason": reason, "message": message}


IN_PLACE = "2 of 4 on model a-2, revision 7; renewing web-1, web-2 in place"
RENEWALS = [
    {
        "instance": f"web-{n}",
        "uid": f"uid-{n}",
        "model": "a-2",
        "fromModel": "a-1",
        "startTime": format_time(T0),
    }
    for n in (1, 2)
]


@pytest.mark.parametrize(
    ("status", "line", "finished"),
    [
        (
            {
                "updatedReplicas": 2,
                "renewals": RENEWALS,
                "rollout": rolling(IN_PLACE),
                "conditions": [condition("False", "RollingOut", IN_PLACE)],
            },
            f"RollingOut: {IN_PLACE}",
            False,
        ),
        (
            {
                "updatedReplicas": 4,
                "renewals": RENEWALS[:1],
                "rollout": rolling("4 of 4 on model a-2; renewing web-1 in place"),
                "conditions": [condition("True", "UpToDate")],
            },
            "RollingOut: 4 of 4 on model a-2; renewing web-1 in place",
            False,
        ),
        (
            {
                "updatedReplicas": 4,
                "rollout": rolling("4 of 4 on model a-2; waiting for web-9"),
                "conditions": [condition("True", "UpToDate")],
            },
            "RollingOut: 4 of 4 on model a-2; waiting for web-9",
            False,
        ),
        (
            {
                "updatedReplicas": 1,
                "renewals": RENEWALS,
                "conditions": [condition("False", "OutOfDate", "3 of 4 not on model a-2")],
            },
            (
                "1 of 4 on the latest model; OutOfDate: 3 of 4 not on model a-2; "
                "renewing web-1, web-2 in place"
            ),
            False,
        ),
        (
            {"updatedReplicas": 4, "conditions": [condition("True", "UpToDate")]},
            "4 of 4 on the latest model; UpToDate",
            True,
        ),
        (
            {"updatedReplicas": 1, "conditions": [condition("False", "RollingOut", "batch 1")]},
            "1 of 4 on the latest model; RollingOut: batch 1",
            False,
        ),
        (
            {
                "updatedReplicas": 4,
                "observedGeneration": 2,
                "conditions": [condition("True", "UpToDate")],
            },
            "4 of 4 on the latest model; the operator has not answered generation 3 yet",
            False,
        ),
        ({}, "0 of 4 on the latest model", False),
    ],
)
def test_progress_is_the_operators_word_for_the_present_spec(
    status: dict[str, Any], line: str, *, finished: bool
) -> None:
    found = progress(scale_set(**status))
    assert (found.line(), found.finished) == (line, finished)


def test_programs_are_told_who_is_renewed() -> None:
    found = progress(scale_set(updatedReplicas=2, renewals=RENEWALS, rollout=rolling(IN_PLACE)))
    assert found.data()["renewing"] == ("web-1", "web-2")
    assert found.data()["message"] == IN_PLACE

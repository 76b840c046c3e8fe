"""Who may send a witness, and when it must wait (protocol rule 18)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Fleet, Outcome, ProberView
from tests.core._silence import fallen
from tests.core._stories import a_set, created, settle
from tests.support.builders import evidence, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec(replicas=10, grace="PT60S")


def test_a_name_that_is_taken_is_not_used_for_the_witness() -> None:
    """Protocol rule 18: the next one is recorded."""
    bad = dict.fromkeys(range(1, 11), evidence(outcome=Outcome.TIMED_OUT))
    doubt = {
        "group": "ScaleSet/web",
        "since": T0.isoformat(),
        "witness": "web-11",
        "nextTime": T0.isoformat(),
    }
    status = {"lastInstanceId": 11, "repairs": {"doubts": [doubt]}}
    seen = a_set(10, bad=bad, status=status, unusable=frozenset({"web-11"}))
    assert created(settle(SPEC, seen).plan) == {"web-12"}


@pytest.mark.parametrize(
    ("change", "witness"),
    [
        ({}, True),
        ({"prober": ProberView(beating_since=T0 - timedelta(hours=1), sees=False)}, False),
        ({"fleet": Fleet(watched_sets=4, silent_sets=3, witnesses=1)}, False),
        ({"fleet": Fleet(watched_sets=4, silent_sets=3, witnesses=0)}, True),
        ({"fleet": Fleet(watched_sets=4, silent_sets=2, witnesses=1)}, True),
        ({"fleet": Fleet(watched_sets=1, silent_sets=1, witnesses=1)}, True),
        ({"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + MINUTE)}, False),
        ({"overlaps_with": "older"}, False),
    ],
)
def test_who_may_send_a_witness(change: dict[str, Any], *, witness: bool) -> None:
    """X-05, protocol rule 18: not a blind prober; one in all while most sets are silent."""
    seen = a_set(10, bad=dict.fromkeys(range(1, 11), Outcome.TIMED_OUT), **change)
    doubt = {"group": "ScaleSet/web", "since": T0.isoformat(), "nextTime": T0.isoformat()}
    status = {"lastInstanceId": 10, "repairs": {"doubts": [doubt]}}
    seen = replace(a_set(10, status=status), **{**change, "evidence": seen.evidence})
    seen = replace(seen, neighbours={})
    plan = settle(SPEC, seen).plan
    assert (plan.status.repairs.doubts[0].witness is not None) is witness
    assert created(plan) == ({"web-11"} if witness else set())


@pytest.mark.parametrize(
    "policy",
    [{"serviceState": "Suspended"}, {"mode": "Observe"}],
)
def test_a_set_whose_repairs_may_not_act_sends_no_witness(policy: dict[str, Any]) -> None:
    """R-39, protocol rule 18."""
    story = fallen(policy=policy)
    story.run(5 * MINUTE)
    assert not story.names
    assert not story.taken


def test_a_recorded_witness_waits_out_a_refused_create() -> None:
    """Protocol rule 18: the name stands, the create comes later."""
    story = fallen()
    story.outside["create_refused"] = None
    story.run(60 * SECOND)
    refused = (Reason.CREATE_FORBIDDEN, "quota", story.now + timedelta(hours=1))
    doubt = story.seen.status.repairs.doubts[0].model_copy(update={"witness": "web-11"})
    repairs = story.seen.status.repairs.model_copy(update={"doubts": (doubt,)})
    update = {"repairs": repairs, "last_instance_id": 11}
    story.seen = replace(story.seen, status=story.seen.status.model_copy(update=update))
    story.outside["create_refused"] = refused
    assert not created(story.turn())
    assert story.seen.status.repairs.doubts[0].witness == "web-11"


def test_doubt_stands_while_the_view_is_stale() -> None:
    """X-07: nothing moves on old data."""
    story = fallen()
    story.run(80 * SECOND)
    before = story.seen.status.repairs.doubts
    story.outside["view_is_fresh"] = False
    story.tell(Outcome.OK)
    plan = story.run(MINUTE)
    assert plan.status.repairs.doubts == before
    assert not story.taken


def test_a_witness_that_the_rollout_has_taken_is_deleted_once() -> None:
    """R-22, protocol rule 18: a newer model came while it was asked."""
    doubt = {"group": "ScaleSet/web", "since": T0.isoformat(), "witness": "web-11"}
    leaving = {"name": "web-11", "uid": "uid-web-11", "purpose": "Rollout"}
    status = {"repairs": {"doubts": [doubt]}, "scaleIn": [leaving]}
    plan = settle(SPEC, a_set(11, status=status)).plan
    assert [act.name for act in plan.actions] == ["web-11"]

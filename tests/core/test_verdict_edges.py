"""Verdicts at their edges: the very moment, what is not published yet, and who shares what."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import Verdict, judge
from scaleset_operator.core.observed import Evidence, Instance, Outcome, ProberView, Published
from tests.core._stories import a_set
from tests.support.builders import instances, observed, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SLOW = probe_view(interval=15 * SECOND, timeout=31 * SECOND)
NOW = T0 + timedelta(milliseconds=700)
"""Between two seconds: what will stand on a pod is whole."""


def ended(ago: float, outcome: Outcome = Outcome.WRONG_STATUS, **fields: Any) -> Evidence:
    """The last attempt ended so many seconds ago; the last success long before."""
    at = NOW - ago * SECOND
    values: dict[str, Any] = {
        "watched_since": NOW - HOUR,
        "last_begun": at,
        "last_ended": at,
        "outcome": outcome,
        "silent_since": at if outcome.silent else None,
    }
    return Evidence(**(values | fields))


def first(pod: dict[str, Any], evidence: Evidence | None = None, **fields: Any) -> Verdict:
    """The verdict on web-1, changed so, among forty that answer."""
    spec = fields.pop("spec", scale_set_spec())
    pods = instances(40)
    changed = replace(pods[0], **pod)
    bad = {} if evidence is None else {1: evidence}
    seen = a_set(instances=(changed, *pods[1:]), bad=bad, now=NOW, **fields)
    return judge(spec, seen, NOW)["uid-web-1"]


# --- Since when --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pod", "since"),
    [
        ({"published": None}, T0 - HOUR - 2 * SECOND),
        ({}, NOW),
    ],
)
def test_without_a_source_what_was_never_published_is_as_old_as_the_pod(
    pod: dict[str, Any], since: datetime
) -> None:
    """P-19: and a health published under a source that is gone ends now."""
    verdict = first(pod, spec=scale_set_spec(healthProbeRef=None), probe=None)
    assert (verdict.health, verdict.reason, verdict.since) == (
        VMHealth.UNKNOWN,
        Reason.NO_PROBE,
        since,
    )


@pytest.mark.parametrize(
    ("health", "reason", "since"),
    [
        (VMHealth.HEALTHY, Reason.REPORTED_HEALTHY, T0 - HOUR),
        (VMHealth.UNHEALTHY, Reason.REPORTED_UNHEALTHY, T0),
    ],
)
def test_an_own_report_counts_since_it_is_published_or_from_the_second_it_is_seen(
    health: VMHealth, reason: Reason, since: datetime
) -> None:
    """R-23: the order of repairs is by what stands on the pod."""
    spec = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "Fine"})
    verdict = first({"reports": (("Fine", health, T0),)}, spec=spec, probe=None)
    assert (verdict.health, verdict.reason, verdict.since) == (health, reason, since)


def test_a_health_that_stands_keeps_its_time_and_a_new_one_begins_with_the_second() -> None:
    """R-23, P-11: whole seconds, as they will stand on the pod."""
    assert first({}).since == T0 - HOUR
    assert first({}, ended(1)).since == T0
    sick = Published(health=VMHealth.UNHEALTHY, reason="WrongStatus", since=T0 - MINUTE)
    assert first({"published": sick}, ended(1)).since == T0 - MINUTE
    assert first({"published": sick}).since == T0


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"probe": probe_view(fault=Reason.PROBE_NOT_FOUND, fault_message="it is gone")},
            Reason.PROBE_NOT_FOUND,
        ),
        ({"prober": ProberView(beating_since=None)}, Reason.HEALTH_UNKNOWN),
    ],
)
def test_what_nothing_is_known_of_is_unknown_from_now_on_and_says_why(
    fields: dict[str, Any], reason: Reason
) -> None:
    """X-08."""
    verdict = first({"published": None}, **fields)
    assert (verdict.health, verdict.reason, verdict.since) == (VMHealth.UNKNOWN, reason, NOW)
    assert verdict.message in ("it is gone", "the prober is silent")


def test_those_who_turned_healthy_in_one_second_share_one_verdict() -> None:
    """A set of thousands is judged on each turn, and most of it is healthy."""
    pods = instances(3)
    shown = pods[2].published
    assert shown is not None
    other = replace(pods[2], published=replace(shown, since=T0 - MINUTE))
    verdicts = judge(scale_set_spec(), observed(instances=(*pods[:2], other)), T0)
    assert verdicts["uid-web-1"] is verdicts["uid-web-2"]
    assert verdicts["uid-web-3"].since == T0 - MINUTE


# --- The very moment ---------------------------------------------------------------------------


def success(**fields: Any) -> Evidence:
    return ended(1, Outcome.OK, last_success=NOW - SECOND, **fields)


def test_a_success_at_the_moment_of_the_prober_s_return_counts() -> None:
    """X-08: only what ended before it is not built on."""
    back = NOW - SECOND
    verdict = first({}, success(), prober=ProberView(beating_since=back))
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, True)
    verdict = first({}, success(), prober=ProberView(beating_since=back + SECOND))
    assert (verdict.fresh, verdict.reason) == (False, Reason.HEALTH_UNKNOWN)
    assert "come back" in verdict.message
    assert verdict.changes_at == NOW + 5 * SECOND


@pytest.mark.parametrize(("started", "counts"), [(1.0, True), (0.9, False), (None, False)])
def test_a_success_counts_from_the_moment_the_containers_run(
    started: float | None, *, counts: bool
) -> None:
    """P-11: before that, somebody else answers at the address."""
    begun = None if started is None else NOW - started * SECOND
    verdict = first({"started": begun}, success())
    assert verdict.fresh is counts
    if not counts:
        assert verdict.reason is Reason.HEALTH_UNKNOWN
        assert "containers" in verdict.message


def test_a_failure_at_the_very_start_of_the_containers_convicts_nobody() -> None:
    """P-12: it was begun before they ran."""
    verdict = first({"started": NOW - 40 * SECOND}, ended(40), probe=SLOW)
    assert (verdict.fresh, verdict.health) == (False, VMHealth.HEALTHY)
    verdict = first({"started": NOW - 40 * SECOND}, ended(39), probe=SLOW)
    assert (verdict.fresh, verdict.health) == (True, VMHealth.UNHEALTHY)


@pytest.mark.parametrize(("ago", "recent"), [(47.0, True), (47.001, False)])
def test_an_attempt_is_the_latest_for_two_rounds_and_two_seconds(
    ago: float, *, recent: bool
) -> None:
    """P-12: 15 s between attempts that take 15 s at most; an older one says nothing any more."""
    verdict = first({}, ended(ago), probe=SLOW)
    assert (verdict.health is VMHealth.UNHEALTHY) is recent
    assert bool(verdict.message) is True
    assert verdict.changes_at == (None if recent else NOW + 15 * SECOND)


def test_while_no_full_timeout_was_watched_the_moment_is_told_with_the_reason() -> None:
    """P-12, X-08."""
    verdict = first({}, ended(1), prober=ProberView(beating_since=NOW - 10 * SECOND))
    assert (verdict.reason, verdict.changes_at) == (Reason.HEALTH_UNKNOWN, NOW + SECOND)
    assert "full timeout" in verdict.message


# --- Silence -----------------------------------------------------------------------------------


def silent(since: float = 300) -> Evidence:
    fell = NOW - since * SECOND
    return ended(1, Outcome.TIMED_OUT, silent_since=fell, failing_since=fell)


def whole_set(published: Published | None, **fields: Any) -> Verdict:
    """The verdict on web-1, that is published so, in a set that is silent as a whole."""
    pods: list[Instance] = [replace(p, published=published) for p in instances(5)]
    bad = {number: silent() for number in range(1, 6)}
    seen = a_set(instances=tuple(pods), bad=bad, now=NOW, **fields)
    return judge(scale_set_spec(), seen, NOW)["uid-web-1"]


@pytest.mark.parametrize(
    ("published", "since"),
    [
        (None, NOW - 300 * SECOND),
        (Published(health=VMHealth.UNKNOWN, reason="ProbeInconclusive", since=T0 - MINUTE), None),
        (Published(health=VMHealth.HEALTHY, reason="Answering", since=T0 - HOUR), T0),
    ],
)
def test_doubt_counts_since_it_is_published_or_since_the_first_silent_attempt(
    published: Published | None, since: datetime | None
) -> None:
    """R-23, protocol rule 18: it does not move from turn to turn."""
    verdict = whole_set(published)
    assert (verdict.doubt, verdict.health) == (Doubtfulness.SET_SILENT, VMHealth.UNKNOWN)
    assert verdict.since == (since or T0 - MINUTE)


def test_one_that_is_not_decided_on_is_looked_at_again_and_says_why() -> None:
    """Protocol rule 16: not everybody of the set was heard since it fell."""
    pods = instances(3)
    late = ended(400, Outcome.OK, last_success=NOW - 400 * SECOND)
    seen = a_set(
        instances=(replace(pods[0], published=None), *pods[1:]),
        bad={1: silent(), 2: late},
        now=NOW,
    )
    verdict = judge(scale_set_spec(), seen, NOW)["uid-web-1"]
    assert (verdict.doubt, verdict.reason) == (
        Doubtfulness.UNDECIDED,
        Reason.PROBE_INCONCLUSIVE,
    )
    assert (verdict.since, verdict.changes_at) == (NOW, NOW + SECOND)
    assert "heard" in verdict.message


def test_a_silent_instance_without_a_node_is_weighed_by_its_set_alone() -> None:
    """Protocol rule 16."""
    assert first({"node": None}, silent()).health is VMHealth.UNHEALTHY


@pytest.mark.parametrize(
    ("started", "vote", "seen_elsewhere"),
    [(3600, 5, True), (3600, 11, False), (None, 5, False), (3600, None, False)],
)
def test_a_vote_counts_for_a_timeout_where_the_containers_run(
    started: float | None, vote: float | None, *, seen_elsewhere: bool
) -> None:
    """Protocol rule 15: before they run, another answered to the second vantage too."""
    begun = None if started is None else NOW - started * SECOND
    votes = {} if vote is None else {"uid-web-1": NOW - vote * SECOND}
    pod: dict[str, Any] = {"started": begun, "published": None}
    long = silent(3600) if begun is None else silent()
    verdict = first(pod, replace(long, watched_since=NOW - 2 * HOUR), votes=votes)
    assert (verdict.doubt is Doubtfulness.SEEN_ELSEWHERE) is seen_elsewhere
    if seen_elsewhere:
        assert (verdict.since, verdict.changes_at) == (NOW, NOW + 6 * SECOND)


def test_what_was_concluded_of_one_that_another_prober_hears_is_taken_back_as_of_now() -> None:
    """Protocol rule 15: Unhealthy as published, Unknown from this second on."""
    sick = Published(health=VMHealth.UNHEALTHY, reason="ProbeTimedOut", since=T0 - MINUTE)
    verdict = first({"published": sick}, silent(), votes={"uid-web-1": NOW - 5 * SECOND})
    assert (verdict.health, verdict.since) == (VMHealth.UNKNOWN, T0)

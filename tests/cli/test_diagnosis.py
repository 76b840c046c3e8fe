"""Each check of `doctor`: what it finds, and that it claims no more than it can see."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import GROUP, format_time
from scaleset_operator.api.crd import definition_of
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.cli.diagnosis import clock, definitions, life, rights, sets
from scaleset_operator.cli.diagnosis.check import LISTED, Check, Verdict, failed, named
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
PLURALS = {kind.plural for kind in KINDS}


def definition_map() -> dict[str, dict[str, Any]]:
    """The definitions as this version would apply them."""
    return {f"{kind.plural}.{GROUP}": definition_of(kind) for kind in KINDS}


# --- Definitions -------------------------------------------------------------------------------


def test_what_this_version_would_apply_is_fine() -> None:
    assert definitions.served(PLURALS, definition_map()).verdict is Verdict.OK


def test_a_kind_that_is_not_served_fails_and_says_what_to_do() -> None:
    found = definitions.served(PLURALS - {"healthprobes"}, definition_map())
    assert found.verdict is Verdict.FAILED
    assert "healthprobes" in found.message
    assert found.hint == definitions.APPLY


def test_a_field_that_only_the_plugin_knows_means_an_older_definition() -> None:
    found = definition_map()
    schema = found[f"scalesets.{GROUP}"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    del schema["properties"]["spec"]["properties"]["updateDomainCount"]
    check = definitions.served(PLURALS, found)
    assert check.verdict is Verdict.FAILED
    assert "ScaleSet.spec.updateDomainCount" in check.message


def test_a_field_that_only_the_cluster_knows_means_an_older_plugin() -> None:
    found = definition_map()
    schema = found[f"scalesets.{GROUP}"]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["later"] = {"type": "string"}
    check = definitions.served(PLURALS, found)
    assert check.verdict is Verdict.NOTE
    assert "ScaleSet.spec.later" in check.message


def test_definitions_that_may_not_be_read_are_not_judged() -> None:
    assert definitions.served(PLURALS, None).verdict is Verdict.UNKNOWN


# --- Rights ------------------------------------------------------------------------------------

ALL = dict.fromkeys((*rights.READING, *rights.WRITING, *rights.OPERATOR), True)


def test_every_right_held_is_fine() -> None:
    assert rights.of_the_caller(ALL).verdict is Verdict.OK
    assert rights.of_the_caller_as_operator(ALL).verdict is Verdict.OK
    assert rights.of_the_operator("ann", ALL).verdict is Verdict.OK


def test_who_may_only_look_is_no_failure_and_who_may_not_look_is() -> None:
    viewer = ALL | dict.fromkeys(rights.WRITING, False)
    assert rights.of_the_caller(viewer).verdict is Verdict.NOTE
    blind = ALL | {rights.READING[0]: False}
    check = rights.of_the_caller(blind)
    assert check.verdict is Verdict.FAILED
    assert "get scalesets.scaleset.dev" in check.message


@pytest.mark.parametrize("right", rights.OPERATOR, ids=lambda right: right.word())
def test_each_right_that_the_operator_lacks_fails_by_its_name(right: rights.Right) -> None:
    check = rights.of_the_operator("ann", ALL | {right: False})
    assert check.verdict is Verdict.FAILED
    assert right.word() in check.message
    own = rights.of_the_caller_as_operator(ALL | {right: False})
    assert own.verdict is Verdict.NOTE, "most people do not run the operator as themselves"


@pytest.mark.parametrize("right", rights.REPORTS, ids=lambda right: right.word())
def test_the_reports_of_agents_are_asked_for_where_the_operator_lives(right: rights.Right) -> None:
    """S-34: without them every block is a plan, and no pause is asked for."""
    whole = ALL | dict.fromkeys(rights.REPORTS, True)
    assert rights.of_the_operator("ann", ALL).verdict is Verdict.OK
    assert rights.of_the_operator("ann", whole, placed=True).verdict is Verdict.OK
    check = rights.of_the_operator("ann", whole | {right: False}, placed=True)
    assert check.verdict is Verdict.FAILED
    assert right.word() in check.message


@pytest.mark.parametrize("right", rights.ELECTION, ids=lambda right: right.word())
def test_the_lease_is_asked_for_only_where_a_leader_is_elected(right: rights.Right) -> None:
    whole = ALL | dict.fromkeys(rights.ELECTION, True)
    assert rights.of_the_operator("ann", ALL).verdict is Verdict.OK
    assert rights.of_the_operator("ann", whole, elects=True).verdict is Verdict.OK
    check = rights.of_the_operator("ann", whole | {right: False}, elects=True)
    assert check.verdict is Verdict.FAILED
    assert right.word() in check.message


def operators_pod(*args: str, **env: str) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    container = {"name": "operator", "args": ["run", *args], "env": variables}
    return {"metadata": {"namespace": "ops"}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("pod", "place"),
    [
        (operators_pod(), None),
        (operators_pod("--port", "9000"), None),
        (operators_pod("--leader-elect"), "ops"),
        (operators_pod("--leader-elect", "--leader-elect-namespace", "locks"), "locks"),
        (operators_pod("--leader-elect-namespace=locks", "--leader-elect"), "locks"),
        (operators_pod(SCALESET_RUN_LEADER_ELECT="true"), "ops"),
        (operators_pod(SCALESET_RUN_LEADER_ELECT="false"), None),
        (
            operators_pod(
                SCALESET_RUN_LEADER_ELECT="true", SCALESET_RUN_LEADER_ELECT_NAMESPACE="locks"
            ),
            "locks",
        ),
        ({"metadata": {"namespace": "ops"}, "spec": {}}, None),
    ],
)
def test_where_the_leader_is_elected_stands_in_the_operators_pod(
    pod: dict[str, Any], place: str | None
) -> None:
    assert rights.place_of_election([pod], []) == place


def test_a_lease_that_is_there_says_more_than_a_pod() -> None:
    lease = {"metadata": {"namespace": "locks"}}
    assert rights.place_of_election([operators_pod("--leader-elect")], [lease]) == "locks"


def test_an_operator_that_cannot_be_asked_about_is_not_judged() -> None:
    assert rights.of_the_operator(None, None).verdict is Verdict.UNKNOWN
    assert rights.of_the_operator("ann", None).verdict is Verdict.UNKNOWN


def test_a_review_asks_for_nodes_outside_of_namespaces() -> None:
    node = next(right for right in rights.OPERATOR if right.resource == "nodes")
    pod = next(right for right in rights.OPERATOR if right.subresource == "status")
    asked = rights.review("SelfSubjectAccessReview", node, "shop", None)["spec"]
    assert "namespace" not in asked["resourceAttributes"]
    asked = rights.review("SubjectAccessReview", pod, "shop", "ann")["spec"]
    assert asked["resourceAttributes"]["namespace"] == "shop"
    assert asked["resourceAttributes"]["subresource"] == "status"
    assert (asked["user"], asked["groups"]) == ("ann", ["system:authenticated"])


def test_a_service_account_is_in_its_groups() -> None:
    assert rights.groups_of("system:serviceaccount:ops:so") == [
        "system:serviceaccounts",
        "system:serviceaccounts:ops",
        "system:authenticated",
    ]


# --- Signs of life -----------------------------------------------------------------------------


def scale_set(
    *, generation: int = 2, seen: int = 2, changed: timedelta, wrote: timedelta | None
) -> dict[str, Any]:
    """A set whose spec was changed so long ago, and whose status the operator wrote so long ago."""
    fields = [{"manager": "kubectl", "operation": "Update", "time": format_time(T0 - changed)}]
    if wrote is not None:
        ours = {"manager": "scaleset-operator", "operation": "Apply", "subresource": "status"}
        fields.append({**ours, "time": format_time(T0 - wrote)})
    return {
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "generation": generation,
            "creationTimestamp": format_time(T0 - timedelta(days=1)),
            "managedFields": fields,
        },
        "status": {"observedGeneration": seen},
    }


@pytest.mark.parametrize(
    ("raw", "verdict", "said"),
    [
        (scale_set(changed=60 * SECOND, wrote=5 * SECOND), Verdict.OK, "5s ago"),
        (scale_set(changed=60 * SECOND, wrote=timedelta(hours=3)), Verdict.UNKNOWN, "at rest"),
        (scale_set(changed=60 * SECOND, wrote=None), Verdict.UNKNOWN, "no sign of it"),
        (
            scale_set(seen=1, changed=31 * SECOND, wrote=5 * SECOND),
            Verdict.FAILED,
            "shop/web waits since 31s for an answer to generation 2",
        ),
        (scale_set(seen=1, changed=29 * SECOND, wrote=5 * SECOND), Verdict.OK, "5s ago"),
        (scale_set(seen=1, changed=29 * SECOND, wrote=None), Verdict.UNKNOWN, "no sign"),
    ],
)
def test_only_a_change_that_nobody_answered_speaks_against_the_operator(
    raw: dict[str, Any], verdict: Verdict, said: str
) -> None:
    """An old write proves nothing: a set at rest is never written."""
    check = life.alive([raw], T0)
    assert (check.verdict, said in check.message) == (verdict, True)


def test_a_lease_that_is_renewed_is_a_sign_and_an_old_one_is_none() -> None:
    raw = scale_set(changed=60 * SECOND, wrote=None)

    def lease(renewed: timedelta) -> dict[str, Any]:
        at = format_time(T0 - renewed)
        spec = {"holderIdentity": "one", "renewTime": at, "leaseDurationSeconds": 15}
        return {"spec": spec}

    fresh = life.alive([raw], T0, [lease(2 * SECOND)])
    assert (fresh.verdict, "one leads" in fresh.message) == (Verdict.OK, True)
    assert life.alive([raw], T0, [lease(16 * SECOND)]).verdict is Verdict.UNKNOWN
    assert life.alive([raw], T0, [{"spec": {}}]).verdict is Verdict.UNKNOWN


def test_without_any_set_nothing_is_claimed() -> None:
    assert life.alive([], T0).verdict is Verdict.UNKNOWN


# --- Clock -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        (0 * SECOND, Verdict.OK),
        (5 * SECOND, Verdict.OK),
        (6 * SECOND, Verdict.OK),  # A Date's second began somewhere in it.
        (7 * SECOND, Verdict.FAILED),
        (-5 * SECOND, Verdict.OK),
        (-6 * SECOND, Verdict.FAILED),
    ],
)
def test_a_clock_that_is_far_off_fails(ahead: timedelta, verdict: Verdict) -> None:
    """At the edge where wall time is compared."""
    assert clock.skew(T0 + ahead, T0, T0 + ahead).verdict is verdict


def test_a_slow_answer_is_no_skew() -> None:
    assert clock.skew(T0, T0 + 20 * SECOND, T0 + 30 * SECOND).verdict is Verdict.OK


def test_an_answer_without_a_date_tells_nothing() -> None:
    assert clock.skew(T0, None, T0).verdict is Verdict.UNKNOWN


# --- Sets and probes ---------------------------------------------------------------------------


def conditioned(kind: str, status: str, reason: str, **extra: Any) -> dict[str, Any]:
    condition = {"type": kind, "status": status, "reason": reason, "message": "because"}
    return {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"healthProbeRef": {"name": "web-http"}},
        "status": {"conditions": [condition], **extra},
    }


def test_a_refused_set_fails_with_its_reason() -> None:
    """X-11."""
    check = sets.accepted([conditioned("Accepted", "False", "InvalidTemplate")])
    assert check.verdict is Verdict.FAILED
    assert check.message == "shop/web: InvalidTemplate: because"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ([], Verdict.OK),
        ([conditioned("Accepted", "True", "Valid")], Verdict.OK),
        ([{"metadata": {"name": "a", "namespace": "b"}}], Verdict.UNKNOWN),
    ],
)
def test_sets_that_are_accepted_or_not_looked_at_yet(
    found: list[dict[str, Any]], verdict: Verdict
) -> None:
    assert sets.accepted(found).verdict is verdict


@pytest.mark.parametrize(
    ("probe", "verdict", "said"),
    [
        (None, Verdict.FAILED, "HealthProbe web-http does not exist"),
        (conditioned("Ready", "False", "AmbiguousPort"), Verdict.FAILED, "AmbiguousPort: because"),
        (conditioned("Ready", "False", "NotInUse"), Verdict.OK, "1 sets are probed"),
        (conditioned("Ready", "True", "Probing"), Verdict.OK, "1 sets are probed"),
    ],
)
def test_a_probe_that_cannot_be_used_fails(
    probe: dict[str, Any] | None, verdict: Verdict, said: str
) -> None:
    probes = {} if probe is None else {("shop", "web-http"): probe}
    check = sets.reached([conditioned("Accepted", "True", "Valid")], probes)
    assert (check.verdict, said in check.message) == (verdict, True)


@pytest.mark.parametrize("reason", ["ProbeInconclusive", "ProbeBlocked"])
def test_instances_of_which_nothing_is_heard_hint_at_the_way_to_them(reason: str) -> None:
    """S-31, X-05: silence is a matter of the way as far as is known, so it is no failure."""
    row = {"name": "web-1", "reason": reason}
    raw = conditioned("Accepted", "True", "Valid", unhealthyInstances=[row, row])
    probes = {("shop", "web-http"): conditioned("Ready", "True", "Probing")}
    check = sets.reached([raw], probes)
    assert check.verdict is Verdict.NOTE
    assert "nothing is heard of 2 instances" in check.message
    assert check.hint


def test_a_set_without_a_probe_needs_none() -> None:
    assert sets.reached([{"metadata": {}, "spec": {}}], {}).verdict is Verdict.OK


# --- All ---------------------------------------------------------------------------------------


def test_only_a_failed_check_fails() -> None:
    each = {v: Check(name="x", verdict=v, message="") for v in Verdict}
    assert failed(each.values())
    assert not failed(check for v, check in each.items() if v is not Verdict.FAILED)


def test_a_message_names_few_and_counts_the_rest() -> None:
    assert named([str(n) for n in range(LISTED + 2)]).endswith("; and 2 more")
    assert named(["a", "b"]) == "a; b"

"""`snat`: what each instance has, what comes next, what would help, and what is only a plan."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaleset_operator.cli.kinds import OUTBOUND_RULES, SCALE_SETS
from scaleset_operator.core.outboundwords import SUFFICIENT
from tests.support.builders import raw_spec
from tests.support.fake_plugin import FakeEntrance

ADDRESS = "192.0.2.10"
WIDE = {"COLUMNS": "200"}
SURGE = {"rollingUpgradePolicy": {"maxSurge": True, "maxBatchInstancePercent": 20}}


def a_set(name: str = "web", *, replicas: int = 50, **fields: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "uid": f"uid-{name}", "generation": 1}
    spec = raw_spec(replicas=replicas, **fields)
    return {"metadata": meta | {"labels": {"tier": "web"}}, "spec": spec}


def row(number: int, *, programmed: bool = False, ports: int = 1024) -> dict[str, Any]:
    first = 1024 + ports * (number - 1)
    return {
        "instance": f"web-{number}",
        "frontendIP": ADDRESS,
        "firstPort": first,
        "lastPort": first + ports - 1,
        "programmed": programmed,
    }


def a_rule(
    *rows: dict[str, Any],
    status: dict[str, Any] | None = None,
    reason: str = "WithinTier",
    name: str = "web-out",
    created: str = "2026-11-01T00:00:00Z",
    **spec: Any,
) -> dict[str, Any]:
    meta = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{name}",
        "generation": 1,
        "creationTimestamp": created,
    }
    said = {
        "type": SUFFICIENT,
        "status": "True",
        "reason": reason,
        "message": "as it is",
        "lastTransitionTime": "2026-11-01T00:00:00Z",
    }
    chosen = {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": [ADDRESS]}
    stands = {
        "observedGeneration": 1,
        "poolSize": 50,
        "portsPerInstance": 1024,
        "instancesToNextTier": 0,
        "allocations": list(rows),
        "conditions": [said],
    }
    return {"metadata": meta, "spec": chosen | spec, "status": stands | (status or {})}


def entrance(*rules: dict[str, Any], sets: list[dict[str, Any]] | None = None) -> FakeEntrance:
    made = FakeEntrance()
    for one in [a_set()] if sets is None else sets:
        made.add(SCALE_SETS, one)
    for rule in rules:
        made.add(OUTBOUND_RULES, rule)
    return made


def test_what_each_instance_has_is_shown_with_the_distance_to_the_next_tier() -> None:
    said = entrance(a_rule(row(1), row(2))).run("snat", "web", env=WIDE).stdout
    assert "1024 each, 50 instances in the pool; 0 more instances fit before each has fewer" in said
    line = next(line for line in said.splitlines() if line.startswith("web-2"))
    assert line.split() == ["web-2", ADDRESS, "2048-3071", "1024", "plan"]


@pytest.mark.parametrize(
    ("carried", "state"),
    [
        ((False, False), "a plan for 2 of 2 blocks"),
        ((True, False), "a plan for 1 of 2 blocks"),
        ((True, True), "real: agents carry out all 2 blocks"),
    ],
)
def test_what_no_agent_carries_out_is_called_a_plan(carried: tuple[bool, bool], state: str) -> None:
    """S-34."""
    rows = [row(n, programmed=done) for n, done in enumerate(carried, 1)]
    made = entrance(a_rule(*rows))
    assert state in made.run("snat", "web", env=WIDE).stdout
    data = json.loads(made.run("snat", "web", "-o", "json").stdout)
    assert data["plan"] is (not all(carried))
    assert [item["programmed"] for item in data["items"]] == [*carried]


def test_surge_and_delay_at_the_end_of_a_row_are_warned_of_with_what_keeps_it() -> None:
    """S-32: 50 and a surplus is the row of 512."""
    spec: dict[str, Any] = {
        "upgradePolicy": SURGE,
        "terminateNotificationProfile": {"enable": True, "notBeforeTimeout": "PT5M"},
    }
    made = entrance(a_rule(row(1)), sets=[a_set(**spec)])
    said = made.run("snat", "web", env=WIDE).stdout
    assert "50 + 10 in the pool: 512 ports each" in said
    assert "50 + 2 in the pool: 512 ports each" in said
    assert "50 + 12 in the pool: 512 ports each" in said
    assert "50 is the end of a row" in said
    assert "delete first" in said


def test_without_surge_and_delay_only_the_end_of_the_row_is_warned_of() -> None:
    """S-32."""
    said = entrance(a_rule(row(1))).run("snat", "web", env=WIDE).stdout
    assert "rollouts make none" in said
    assert "repairs make none" in said
    assert "50 is the end of a row" in said
    assert "delete first" not in said
    fewer = entrance(a_rule(row(1)), sets=[a_set(replicas=49)])
    assert "end of a row" not in fewer.run("snat", "web", env=WIDE).stdout


@pytest.mark.parametrize(
    ("replicas", "pool", "ports"),
    [(60, 70, 512), (39, 49, 1024), (0, 10, 1024), (5_000, 5_010, None)],
)
def test_another_count_is_answered_for_the_whole_pool(
    replicas: int, pool: int, ports: int | None
) -> None:
    """S-32, S-02: ten of another set share the rule, and above the table nothing is made up."""
    made = entrance(a_rule(row(1)), sets=[a_set(), a_set("api", replicas=10)])
    words = ("snat", "web", "--what-if", f"replicas={replicas}")
    surge = json.loads(made.run(*words, "-o", "json").stdout)["surge"]
    assert (surge["poolSize"], surge["portsPerInstance"]) == (pool, ports)
    each = "more than there are ports for" if ports is None else f"{ports} ports each"
    said = made.run(*words, env=WIDE).stdout
    assert f"replicas {replicas}: {pool} in the pool, {each}" in said
    assert made.writes == []


@pytest.mark.parametrize("text", ["replicas=", "replicas=-1", "replicas=10001", "60", "size=60"])
def test_a_wish_that_makes_no_sense_names_field_value_and_what_is_allowed(text: str) -> None:
    said = entrance(a_rule()).run("snat", "web", "--what-if", text, code=1).stderr
    assert said == f"error: --what-if is '{text}': allowed is replicas=N with N 0 to 10000\n"


def test_a_wish_needs_a_set() -> None:
    said = entrance(a_rule()).run("snat", "--what-if", "replicas=60", code=1).stderr
    assert "no SET is named" in said


def busy(ports: int, instance: str = "web-1") -> dict[str, Any]:
    told = {"instance": instance, "destination": "203.0.113.5:443/tcp", "ports": ports}
    return {"busiest": told}


@pytest.mark.parametrize(
    ("ports", "reason", "fitting"),
    [
        (128, "WithinTier", []),
        (512, "WithinTier", ["Reuse", "Pooling", "OwnAddress"]),
        (1024, "WithinTier", ["Reuse", "Pooling", "OwnAddress"]),
        (1024, "PortsExhausted", ["Reuse", "Pooling", "GentlerRetry", "OwnAddress"]),
        (128, "PortsExhausted", []),
    ],
)
def test_advice_fits_what_the_agents_report(ports: int, reason: str, fitting: list[str]) -> None:
    """S-30: the last eighth of a block is not yet the last port; the condition says that."""
    made = entrance(a_rule(row(1), status=busy(ports), reason=reason))
    data = json.loads(made.run("snat", "web", "-o", "json").stdout)
    assert [one["mitigation"] for one in data["advice"]] == fitting
    said = made.run("snat", "web", env=WIDE).stdout
    assert f"web-1, up to {ports} ports to 203.0.113.5:443/tcp" in said
    assert all(f"{one}: " in said for one in fitting)


def test_without_reports_and_for_another_sets_instance_no_advice_is_made_up() -> None:
    """S-30."""
    made = entrance(a_rule(row(1)))
    assert "none: no agent reports flows" in made.run("snat", "web", env=WIDE).stdout
    other = entrance(a_rule(row(1), status=busy(1024, "api-1")))
    assert json.loads(other.run("snat", "web", "-o", "json").stdout)["advice"] == []


def test_that_somebody_else_found_no_ports_is_not_that_all_are_in_use() -> None:
    """S-30: one reason for both."""
    status = busy(1024) | {"unallocated": ["web-2"]}
    made = entrance(a_rule(row(1), status=status, reason="PortsExhausted"))
    advice = json.loads(made.run("snat", "web", "-o", "json").stdout)["advice"]
    assert "GentlerRetry" not in [one["mitigation"] for one in advice]


def test_only_the_sets_of_the_rule_are_its_pool() -> None:
    other = a_set("api", replicas=40)
    other["metadata"]["labels"] = {"tier": "api"}
    made = entrance(a_rule(row(1)), sets=[a_set(), other])
    assert json.loads(made.run("snat", "web", "-o", "json").stdout)["surge"]["poolSize"] == 50


def test_an_address_of_an_older_rule_gives_a_manual_allocation_no_room() -> None:
    """S-33: of two addresses one is another's, so 62 blocks of 1024 lie on what is left."""
    selector = {"matchLabels": {"tier": "api"}}
    older = a_rule(name="older", scaleSetSelector=selector, created="2026-10-01T00:00:00Z")
    addresses = [ADDRESS, "192.0.2.11"]
    mine = a_rule(row(1), allocatedOutboundPorts=1024, frontendIPs=addresses)
    words = ("snat", "web", "--what-if", "replicas=63", "-o", "json")
    alone, shared = (
        json.loads(made.run(*words).stdout)["surge"]["portsPerInstance"]
        for made in (entrance(mine), entrance(mine, older))
    )
    assert (alone, shared) == (1024, None)


def test_whoever_has_no_ports_left_is_listed() -> None:
    made = entrance(a_rule(row(1), status={"unallocated": ["web-2", "api-3"]}))
    said = made.run("snat", "web", env=WIDE).stdout
    assert "web-2      -" in said
    assert "none left" in said
    assert "api-3" not in said


def test_a_set_without_a_rule_leaves_by_the_default() -> None:
    """S-23."""
    made = entrance()
    assert "by the cluster's default" in made.run("snat", "web", env=WIDE).stdout
    assert json.loads(made.run("snat", "web", "-o", "json").stdout)["rule"] is None


def test_of_two_rules_the_older_one_serves_it() -> None:
    made = entrance(
        a_rule(row(1), name="newer", created="2026-11-02T00:00:00Z"), a_rule(row(1), name="older")
    )
    assert json.loads(made.run("snat", "web", "-o", "json").stdout)["rule"] == "older"


def test_denied_instances_have_no_way_out_and_no_budget() -> None:
    status = {"poolSize": 50, "portsPerInstance": 0, "instancesToNextTier": None}
    made = entrance(a_rule(status=status, reason="OutboundDenied", denyOutbound=True))
    said = made.run("snat", "web", env=WIDE).stdout
    assert "no way out (spec.denyOutbound)" in said
    assert "Surge" not in said


def test_a_manual_allocation_has_room_and_no_rows() -> None:
    """S-33: 62 blocks of 1024 on one address."""
    made = entrance(a_rule(row(1), allocatedOutboundPorts=1024), sets=[a_set(upgradePolicy=SURGE)])
    surge = json.loads(made.run("snat", "web", "-o", "json").stdout)["surge"]
    assert (surge["portsPerInstanceMeanwhile"], surge["deleteFirst"]) == (1024, False)
    words = ("snat", "web", "--what-if", "replicas=60")
    surge = json.loads(made.run(*words, "-o", "json").stdout)["surge"]
    assert (surge["portsPerInstanceMeanwhile"], surge["deleteFirst"]) == (None, True)


def test_without_a_set_every_set_is_one_line_and_a_broken_resource_stops_none() -> None:
    broken = a_rule(name="broken") | {"spec": {"idleTimeout": "soon"}}
    api = a_set("api", replicas=3)
    api["metadata"]["labels"] = {}
    made = entrance(a_rule(row(1, programmed=True), row(2)), broken, sets=[a_set(), api])
    said = made.run("snat", env=WIDE).stdout
    lines = {line.split()[1]: line.split()[2:] for line in said.splitlines()[1:3]}
    assert lines["web"][:4] == ["web-out", "50", "1024", "0"]
    assert "plan for 1 of 2" in said
    assert lines["api"] == ["-"] * 6
    assert "OutboundRule broken cannot be read and is left out" in said
    assert len(json.loads(made.run("snat", "-o", "json").stdout)["items"]) == 2


def test_a_rule_that_the_operator_has_not_seen_is_said_to_be_behind() -> None:
    made = entrance(a_rule(status={"observedGeneration": 0, "poolSize": 0, "conditions": []}))
    said = made.run("snat", "web", env=WIDE).stdout
    assert "has not looked at the rule's present spec yet" in said
    assert "NotYetSeen" in made.run("snat", env=WIDE).stdout

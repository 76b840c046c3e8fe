"""Alerts and dashboard: every series, label and value in them is one that the operator gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import promql_parser as promql
import pytest

from manifests.generator.sources import MANIFESTS, read
from manifests.generator.values import RULES, RUNBOOKS
from scaleset_operator.adapters.metrics import series
from scaleset_operator.adapters.metrics.definition import Kind, Series
from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.outboundreasons import OutboundReason
from scaleset_operator.api.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES: Final = Path(__file__).parents[2] / "docs" / "runbooks"
DASHBOARD: Final = MANIFESTS / "components" / "monitoring" / "dashboard.json"
OF_A_TARGET: Final = frozenset({"instance", "job", "pod"})
"""Labels that Prometheus itself puts on every series."""
PARTS: Final = ("_bucket", "_sum", "_count")
VALUES: Final = {
    ("scaleset_instances", "health"): {*map(str, VMHealth)},
    ("scaleset_repair_deferred", "reason"): {*map(str, Reason)},
    ("scaleset_repairs_service_state", "state"): {"Running", "Suspended", "NotRunning"},
    ("scaleset_repairs_service_state", "by"): {"User", "Platform", ""},
    ("scaleset_repairs_total", "result"): {"Succeeded", "Failed", "Cancelled"},
    ("scaleset_condition", "status"): {"True", "False", "Unknown"},
    ("scaleset_condition", "type"): {"Accepted", "Stalled"},
    ("scaleset_outbound_condition", "status"): {"True", "False", "Unknown"},
    ("scaleset_outbound_condition", "type"): {"OutboundPortsSufficient", "Programmed"},
    ("scaleset_outbound_condition", "reason"): {*map(str, OutboundReason)},
}
"""Those that may be compared with, where the set is finite."""


class Use(NamedTuple):
    """One selector in an expression: the series, the labels it compares, and with what."""

    name: str
    compared: dict[str, str]


def parsed(expression: str) -> Any:
    """As Prometheus reads it, once Grafana has put its own in."""
    return promql.parse(expression.replace("$__rate_interval", "5m"))


def below(node: Any) -> Iterator[Any]:
    """The parts of an expression, itself first."""
    yield node
    inner = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param")]
    inner += [getattr(node, "vector_selector", None), *getattr(node, "args", ())]
    for one in inner:
        if one is not None:
            yield from below(one)


def uses(node: Any) -> list[Use]:
    return [
        Use(str(one.name), {m.name: m.value for m in one.matchers.matchers})
        for one in below(node)
        if isinstance(one, promql.VectorSelector)
    ]


def series_of(name: str) -> Series | None:
    """The series that is meant; of a histogram, by one of its parts alone."""
    stem = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
    for one in series.ALL:
        if one.name == name and one.kind is not Kind.HISTOGRAM:
            return one
        if one.name == stem and one.kind is Kind.HISTOGRAM and stem != name:
            return one
    return None


def labels_of(one: Series) -> set[str]:
    return {*one.labels, *OF_A_TARGET, *({"le"} if one.kind is Kind.HISTOGRAM else ())}


def faults(expression: str) -> list[str]:
    """What in it no operator gives; empty when nothing."""
    node = parsed(expression)
    found = [fault for use in uses(node) for fault in faults_of(use)]
    for one in below(node):
        modifier = getattr(one, "modifier", None)
        if isinstance(one, promql.AggregateExpr) and modifier is not None:
            known = [labels_of(s) for use in uses(one.expr) if (s := series_of(use.name))]
            asked = {*modifier.labels}
            found += [f"{label} is no label there" for label in asked if not _all(known, label)]
    return found


def faults_of(use: Use) -> Iterator[str]:
    one = series_of(use.name)
    if one is None:
        yield f"there is no series {use.name}"
        return
    for label, value in use.compared.items():
        if label not in labels_of(one):
            yield f"{use.name} has no label {label}"
        known = VALUES.get((one.name, label))
        if known is not None and not value.startswith("$"):
            yield from (f"{label} is never {v}" for v in value.split("|") if v not in known)


def _all(known: list[set[str]], label: str) -> bool:
    return all(label in labels for labels in known)


def rules() -> list[dict[str, Any]]:
    (found,) = read(RULES)
    return [rule for group in found["spec"]["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [panel for panel in found if panel["type"] != "row"]


ALERTS: Final = rules()
EXPRESSIONS: Final = [
    *(pytest.param(rule["expr"], id=rule["alert"]) for rule in ALERTS),
    *(
        pytest.param(target["expr"], id=f"{panel['title']}, {target['refId']}")
        for panel in panels()
        for target in panel["targets"]
    ),
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_series_label_and_value_in_alerts_and_dashboard_is_given(expression: str) -> None:
    """X-11."""
    assert uses(parsed(expression)), "it asks for nothing"
    assert faults(expression) == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("scaleset_gone > 0", "there is no series scaleset_gone"),
        ("scaleset_probe_duration_seconds", "there is no series scaleset_probe_duration_seconds"),
        ('scaleset_instances{colour="red"}', "scaleset_instances has no label colour"),
        ('scaleset_instances{health=~"Healthy|Ill"}', "health is never Ill"),
        (
            "sum by (scaleset) (rate(scaleset_probe_results_total[5m]))",
            "scaleset is no label there",
        ),
        ('rate(scaleset_repairs_total{result="Lost"}[5m]) > 1', "result is never Lost"),
    ],
)
def test_an_expression_that_nobody_can_answer_is_told(expression: str, fault: str) -> None:
    assert fault in faults(expression)


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert sorted(rule["alert"] for rule in ALERTS) == sorted(p.stem for p in PAGES.glob("*.md"))


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_says_what_it_is_how_bad_and_where_to_read_on(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert said.keys() == {"summary", "description", "runbook_url"}
    assert said["runbook_url"] == f"{RUNBOOKS}/{rule['alert']}.md"
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert promql.parse_duration(rule["for"]) is not None
    kept = re.findall(r"\$labels\.(\w+)", said["summary"] + said["description"])
    node = parsed(rule["expr"])
    ours = [labels_of(s) for use in uses(node) if (s := series_of(use.name))]
    assert all(_all(ours, label) for label in kept), "only labels that the alert has"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_a_page_says_what_it_means_how_to_look_and_what_to_do(rule: dict[str, Any]) -> None:
    text = (PAGES / f"{rule['alert']}.md").read_text(encoding="utf-8")
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    assert heads == [rule["alert"], "What it means", "How to look", "What to do"]
    assert set(re.findall(r"\b(?:scaleset|process)_[a-z_]+\b", text)) <= {
        *(one.name for one in series.ALL)
    }


def test_the_label_namespace_stays_that_of_the_set() -> None:
    (monitor,) = read("components/monitoring/servicemonitor.yaml")
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["honorLabels"] is True
    (service,) = read("base/service.yaml")
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


def test_panels_have_numbers_and_places_of_their_own() -> None:
    found = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in found}
    assert len(places) == len(found)

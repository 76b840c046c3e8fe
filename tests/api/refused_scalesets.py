"""Wrong ScaleSets, each with the field and the range that its refusal must name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.api.manifests import ABSENT, SET
from tests.api.refusal import EXTENDED, GRACE, NOTICE, PATTERN, POLICY, ROLLING, Case

if TYPE_CHECKING:
    from tests.api.manifests import Manifest

STANDARD_GRACE: Final = "PT30M to PT90M"
STANDARD_NOTICE: Final = "PT5M to PT15M"


def _set(what: str, changes: Manifest, field: str, allowed: str) -> Case:
    return Case(what, SET, changes, field, allowed)


BAD_SPANS: Final = (
    *("30", "30m", "P1M", "-PT30M", "", "PT", "P", "pt30m", "PT30", "PT0.5H", "PT1.5H", "P1W"),
    *("P1Y", "P1DT1H", "P30DT12H", "P1DT0S", "PT30M ", "PT1M30H", "+PT30M", "PT1800", "1800"),
)
SPANS: Final = tuple(
    _set(f"the grace {text!r}", {GRACE: text}, GRACE, PATTERN) for text in BAD_SPANS
)

REPAIRS: Final = (
    _set(
        "both sources of health",
        {"spec.applicationHealth": {"podConditionType": "Ready"}},
        "spec.healthProbeRef and spec.applicationHealth",
        "exactly one",
    ),
    _set(
        "repairs without a source of health",
        {"spec.healthProbeRef": ABSENT},
        "spec.healthProbeRef",
        "set spec.healthProbeRef or spec.applicationHealth",
    ),
    _set("201 instances with repairs", {"spec.replicas": 201}, "spec.replicas", "0 to 200"),
    _set('enabled: "true"', {f"{POLICY}.enabled": "true"}, f"{POLICY}.enabled", "boolean"),
    _set("enabled: 1", {f"{POLICY}.enabled": 1}, f"{POLICY}.enabled", "boolean"),
    _set("a grace of PT29M59S", {GRACE: "PT29M59S"}, GRACE, STANDARD_GRACE),
    _set("a grace of PT90M1S", {GRACE: "PT90M1S"}, GRACE, STANDARD_GRACE),
    _set("a grace of PT1H31M", {GRACE: "PT1H31M"}, GRACE, STANDARD_GRACE),
    _set("a grace of PT0S", {GRACE: "PT0S"}, GRACE, STANDARD_GRACE),
    _set("a grace of P1D", {GRACE: "P1D"}, GRACE, STANDARD_GRACE),
    _set("a grace as a number", {GRACE: 30}, GRACE, "of type"),
    _set("an extended grace of P2D", EXTENDED | {GRACE: "P2D"}, GRACE, "PT0S to P1D"),
    _set("an extended grace of PT24H1S", EXTENDED | {GRACE: "PT24H1S"}, GRACE, "PT0S to P1D"),
    _set("limits Unlimited", {f"{POLICY}.limits": "Unlimited"}, f"{POLICY}.limits", '"Extended"'),
    _set("maxInFlight 6%", {f"{POLICY}.maxInFlight": "6%"}, f"{POLICY}.maxInFlight", "[1-5]%"),
    _set("maxInFlight 0%", {f"{POLICY}.maxInFlight": "0%"}, f"{POLICY}.maxInFlight", "[1-5]%"),
    _set("maxInFlight 10%", {f"{POLICY}.maxInFlight": "10%"}, f"{POLICY}.maxInFlight", "2"),
    _set("maxInFlight 5", {f"{POLICY}.maxInFlight": 5}, f"{POLICY}.maxInFlight", "string"),
    _set("maxInFlight '5'", {f"{POLICY}.maxInFlight": "5"}, f"{POLICY}.maxInFlight", "[1-5]%"),
    _set(
        "repairAction Reboot",
        {f"{POLICY}.repairAction": "Reboot"},
        f"{POLICY}.repairAction",
        '"Replace", "Restart", "Reimage"',
    ),
    _set("mode Dry", {f"{POLICY}.mode": "Dry"}, f"{POLICY}.mode", '"Act", "Observe"'),
    _set(
        "serviceState Suspend, an action",
        {f"{POLICY}.serviceState": "Suspend"},
        f"{POLICY}.serviceState",
        '"Running", "Suspended"',
    ),
    _set(
        "serviceState Resume, an action",
        {f"{POLICY}.serviceState": "Resume"},
        f"{POLICY}.serviceState",
        '"Running", "Suspended"',
    ),
    _set(
        "serviceState NotRunning, which is only reported",
        {f"{POLICY}.serviceState": "NotRunning"},
        f"{POLICY}.serviceState",
        '"Running", "Suspended"',
    ),
    _set(
        "suspension after no failed repair",
        {f"{POLICY}.suspendAfterFailedRepairs": 0},
        f"{POLICY}.suspendAfterFailedRepairs",
        "greater than or equal to 1",
    ),
    _set(
        "suspension after 101 failed repairs",
        {f"{POLICY}.suspendAfterFailedRepairs": 101},
        f"{POLICY}.suspendAfterFailedRepairs",
        "less than or equal to 100",
    ),
    _set(
        "a storm guard of 0 percent",
        {f"{POLICY}.maxUnhealthyPercent": 0},
        f"{POLICY}.maxUnhealthyPercent",
        "greater than or equal to 1",
    ),
    _set(
        "a storm guard of 101 percent",
        {f"{POLICY}.maxUnhealthyPercent": 101},
        f"{POLICY}.maxUnhealthyPercent",
        "less than or equal to 100",
    ),
    _set(
        "disruptionBudgets Respect",
        {f"{POLICY}.disruptionBudgets": "Respect"},
        f"{POLICY}.disruptionBudgets",
        '"Report", "Enforce", "Ignore"',
    ),
    _set(
        "arming after 101 percent",
        {f"{POLICY}.armAfterHealthyPercent": 101},
        f"{POLICY}.armAfterHealthyPercent",
        "less than or equal to 100",
    ),
)

SETS: Final = (
    Case("a name with a dot", SET, {}, "metadata.name", "1 to 52", name="web.shop"),
    Case("a name of 53 characters", SET, {}, "metadata.name", "1 to 52", name="w" * 53),
    _set("no spec", {"spec": ABSENT}, "spec", "Required value"),
    _set("no selector", {"spec.selector": ABSENT}, "spec.selector", "Required value"),
    _set("no template", {"spec.template": ABSENT}, "spec.template", "Required value"),
    _set("a template that is text", {"spec.template": "x"}, "spec.template", "object"),
    _set("no label", {"spec.selector.matchLabels": {}}, "spec.selector.matchLabels", "at least 1"),
    _set(
        "a label's value with a blank",
        {"spec.selector.matchLabels": {"app": "a b"}},
        "spec.selector.matchLabels.app",
        "[A-Za-z0-9]",
    ),
    _set(
        "a label's name with a blank",
        {"spec.selector.matchLabels": {"a b": "web"}},
        "spec.selector.matchLabels",
        "letters, digits, '-', '_' and '.'",
    ),
    _set("-1 instances", {"spec.replicas": -1}, "spec.replicas", "greater than or equal to 0"),
    _set("10001 instances", {"spec.replicas": 10_001}, "spec.replicas", "10000"),
    _set('replicas "3"', {"spec.replicas": "3"}, "spec.replicas", "integer"),
    _set("half an instance", {"spec.replicas": 1.5}, "spec.replicas", "integer"),
    _set("no update domain", {"spec.updateDomainCount": 0}, "spec.updateDomainCount", "to 1"),
    _set("21 update domains", {"spec.updateDomainCount": 21}, "spec.updateDomainCount", "20"),
    _set("a probe without name", {"spec.healthProbeRef": {}}, "healthProbeRef.name", "Required"),
    _set(
        "an empty probe name", {"spec.healthProbeRef.name": ""}, "healthProbeRef.name", "at least 1"
    ),
    _set("a probe Web_Http", {"spec.healthProbeRef.name": "Web_Http"}, "Ref.name", "[a-z0-9]"),
    _set("a rotation probe X", {"spec.rotationProbeRef.name": "X"}, "rotationProbeRef", "[a-z0-9]"),
    _set(
        "our own condition as the instance's report",
        {
            "spec.healthProbeRef": ABSENT,
            "spec.applicationHealth.podConditionType": "scaleset.dev/Healthy",
        },
        "spec.applicationHealth.podConditionType",
        "not one of scaleset.dev/",
    ),
    _set(
        "upgrade mode Blue", {"spec.upgradePolicy.mode": "Blue"}, "mode", '"Rolling", "Automatic"'
    ),
    _set("a batch of 0 percent", {f"{ROLLING}.maxBatchInstancePercent": 0}, "maxBatch", "to 1"),
    _set("a batch of 101 percent", {f"{ROLLING}.maxBatchInstancePercent": 101}, "maxBatch", "100"),
    _set(
        "101 percent unhealthy",
        {f"{ROLLING}.maxUnhealthyInstancePercent": 101},
        "maxUnhealthyInstancePercent",
        "100",
    ),
    _set(
        "-1 percent of the upgraded unhealthy",
        {f"{ROLLING}.maxUnhealthyUpgradedInstancePercent": -1},
        "maxUnhealthyUpgradedInstancePercent",
        "to 0",
    ),
    _set(
        "a pause of P2D between batches",
        {f"{ROLLING}.pauseTimeBetweenBatches": "P2D"},
        "pauseTimeBetweenBatches",
        "PT0S to P1D",
    ),
    _set("maxSurge 20%", {f"{ROLLING}.maxSurge": "20%"}, "maxSurge", "boolean"),
    _set("scale-in policy Random", {"spec.scaleInPolicy": "Random"}, "scaleInPolicy", '"Oldest"'),
    _set("a notice of PT4M59S", {NOTICE: "PT4M59S"}, NOTICE, STANDARD_NOTICE),
    _set("a notice of PT15M1S", {NOTICE: "PT15M1S"}, NOTICE, STANDARD_NOTICE),
    _set(
        "a notice of PT1M in a set without repairs",
        {NOTICE: "PT1M", POLICY: ABSENT},
        NOTICE,
        STANDARD_NOTICE,
    ),
    _set("an extended notice of P2D", EXTENDED | {NOTICE: "P2D"}, NOTICE, "PT0S to P1D"),
    _set("an unknown field", {"spec.replica": 3}, "spec.replica", "unknown field"),
)

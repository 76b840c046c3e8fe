"""The models: defaults, names on the wire, and that a status survives the way there and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import BaseModel, ValidationError

from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeSpec, Protocol
from scaleset_operator.api.ledger import (
    Doubt,
    RepairEntry,
    RepairPhase,
    RepairsStatus,
    StalledInstance,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import (
    AutomaticRepairsPolicy,
    RepairAction,
    ScaleSet,
    ScaleSetSpec,
    ScaleSetStatus,
    Selector,
    UpgradeMode,
)
from tests.api.manifests import PROBE, RULE, SET, WINDOW, manifest

T0 = datetime(2026, 11, 20, 7, 20, 44, tzinfo=UTC)
ENTRY = RepairEntry(
    instance="web-7",
    uid="u7",
    replacement="web-41",
    replacement_uid="u41",
    action=RepairAction.REPLACE,
    cause="HTTP 503 for 33m",
    phase=RepairPhase.REPLACING,
    start_time=T0,
    update_domain=2,
    model="6f9c",
    deleted_time=T0 + timedelta(microseconds=5),
)


def wire(model: BaseModel) -> dict[str, object]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_set_that_says_little_gets_the_careful_defaults() -> None:
    """R-07, R-30: no repairs unless asked for, and then with a grace of thirty minutes."""
    spec = ScaleSetSpec(selector=Selector(match_labels={"app": "web"}), template={})
    assert (spec.replicas, spec.update_domain_count) == (1, 5)
    assert spec.automatic_repairs_policy is None
    assert spec.upgrade_policy.mode is UpgradeMode.ROLLING
    policy = AutomaticRepairsPolicy()
    assert not policy.enabled
    assert policy.grace_period == timedelta(minutes=30)
    assert (policy.max_in_flight, policy.max_in_flight_percent) == ("5%", 5)
    assert policy.suspend_after_failed_repairs == 3


def test_a_probe_gets_its_defaults_one_by_one() -> None:
    """P-07, P-08, P-09, P-32."""
    probe = HealthProbeSpec.model_validate({"protocol": "tcp", "timeoutInSeconds": 11})
    assert probe == HealthProbeSpec(
        protocol=Protocol.TCP, interval_in_seconds=15, timeout_in_seconds=11
    )
    assert (probe.path, probe.port) == (None, None)


@pytest.mark.parametrize("percent", [1, 5])
def test_the_cap_is_read_as_whole_percents(percent: int) -> None:
    assert AutomaticRepairsPolicy(max_in_flight=f"{percent}%").max_in_flight_percent == percent


@pytest.mark.parametrize(
    ("model", "kind"),
    [(ScaleSet, SET), (HealthProbe, PROBE), (MaintenanceWindow, WINDOW), (OutboundRule, RULE)],
)
def test_a_resource_of_a_newer_version_is_still_read(model: type[ScaleSet], kind: str) -> None:
    read = model.model_validate(
        manifest(kind, changes={"spec.newField": 1, "status.newField": {"a": 1}})
    )
    assert read.kind == kind
    assert read.metadata.name == "sample"


def test_the_template_is_kept_as_it_was_written() -> None:
    body = manifest(SET, changes={"spec.template.spec.unheardOf": {"deep": [1, {"x": None}]}})
    assert ScaleSet.model_validate(body).spec.template == body["spec"]["template"]


def test_an_empty_status_sends_every_list() -> None:
    sent = wire(ScaleSetStatus())
    for name in (
        "creating",
        "scaleIn",
        "orchestrationServices",
        "unhealthyInstances",
        "conditions",
    ):
        assert sent[name] == []
    repairs = sent["repairs"]
    assert isinstance(repairs, dict)
    for name in ("inFlight", "stalled", "doubts", "history"):
        assert repairs[name] == []
    assert None not in [*sent.values(), *repairs.values()]


def test_an_entry_of_the_ledger_keeps_its_names_and_survives_the_way_there_and_back() -> None:
    """R-16: what a crash must not lose is on the wire, to the microsecond."""
    sent = wire(ENTRY)
    assert sent["replacementUID"] == "u41"
    assert sent["startTime"] == "2026-11-20T07:20:44Z"
    assert sent["deletedTime"] == "2026-11-20T07:20:44.000005Z"
    assert RepairEntry.model_validate(sent) == ENTRY
    doubt = Doubt(group="set", since=T0, witness="web-42", witness_uid="u42")
    assert wire(doubt)["witnessUID"] == "u42"
    assert Doubt.model_validate(wire(doubt)) == doubt


def test_a_status_survives_the_way_there_and_back() -> None:
    status = ScaleSetStatus(
        replicas=40,
        repairs=RepairsStatus(
            batch_limit=2,
            in_flight=(ENTRY,),
            stalled=(StalledInstance(instance="web-3", uid="u3", since=T0),),
        ),
    )
    assert ScaleSetStatus.model_validate(wire(status)) == status


def test_a_value_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(ENTRY, "phase", RepairPhase.RECORDED)  # noqa: B010 - mypy would refuse it first


def test_names_that_are_abbreviations_keep_their_capitals() -> None:
    rule = OutboundRule.model_validate(manifest(RULE))
    assert wire(rule.spec)["frontendIPs"] == ["192.0.2.10"]
    assert rule.spec.idle_timeout == timedelta(minutes=4)

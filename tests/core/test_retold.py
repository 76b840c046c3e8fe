"""What somebody without a prober rebuilds from the cluster: all that was told, and nothing else."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import ObjectMeta, Reason, VMHealth
from scaleset_operator.api.healthprobe import HealthProbe, HealthProbeSpec, HealthProbeStatus
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import Verdict
from scaleset_operator.core.model import model_of
from scaleset_operator.core.observed import Instance, Observed, ProbeView, Published, TemplateView
from scaleset_operator.core.retold import Read, scene_of
from scaleset_operator.core.scene import Scene
from tests.core._stories import entry, ledger
from tests.support.builders import TEMPLATE, instance, instances, observed, raw_probe, raw_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
META: Final[dict[str, Any]] = {
    "name": "web",
    "namespace": "shop",
    "uid": "uid-web",
    "generation": 4,
    "annotations": {"scaleset.dev/repairs-suspended-reason": "migration"},
}


def read(*pods: Instance, **fields: Any) -> Read:
    """A set of these pods; `status`, `spec` and `meta` by the wire's names."""
    meta = ObjectMeta.model_validate(META | fields.pop("meta", {}))
    spec = raw_spec(**fields.pop("spec", {}))
    status = observed(status=fields.pop("status", {})).status
    resource = ScaleSet.model_validate({"metadata": meta, "spec": spec, "status": status})
    return Read(resource=resource, instances=pods, **fields)


def rebuilt(*pods: Instance, **fields: Any) -> Scene:
    return scene_of(read(*pods, **fields), T0)


def accepted(reason: str, status: str = "False", message: str = "why") -> dict[str, Any]:
    row = {
        "type": "Accepted",
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": T0.isoformat(),
    }
    before = {**row, "type": "Ready", "status": "False", "reason": "Scaling"}
    return {"conditions": [before, row]}


def unhealthy(name: str, reason: str, until: datetime | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "vmHealth": "Unhealthy",
        "repairDecision": "Deferred",
        "reason": reason,
        "eligibleTime": None if until is None else until.isoformat(),
    }


def test_everything_that_can_be_read_is_taken_as_it_stands() -> None:
    """X-11: and what was read just now was read live."""
    pods, alone = instances(2), instance(number=7)
    given = read(*pods, adoptable=(alone,), status=accepted("Valid", "True"))
    scene = scene_of(given, T0)
    assert (scene.spec, scene.now) == (given.resource.spec, T0)
    assert scene.observed == Observed(
        namespace="shop",
        name="web",
        uid="uid-web",
        generation=4,
        status=given.resource.status,
        template=TemplateView(model=model_of(TEMPLATE), images=(("web", "instance:1"),)),
        instances=pods,
        adoptable=(alone,),
        probe=ProbeView(name="web-http"),
        live_reads=frozenset({"web-1", "web-2"}),
        listed=True,
        annotations=META["annotations"],
        disruption=Disruption(),
    )


def test_a_set_that_is_being_deleted_is_one() -> None:
    assert rebuilt(meta={"deletion_timestamp": T0}).observed.deleting
    assert rebuilt().observed.deleting is False


def test_a_name_in_the_ledger_was_read_though_its_pod_is_gone() -> None:
    """Protocol rule 9: victims and replacements."""
    status = ledger(entry(1, 41), entry(2, 42) | {"replacement": None}, last=42)
    names = rebuilt(instance(number=5), status=status).observed.live_reads
    assert names == {"web-1", "web-41", "web-2", "web-5"}


# --- Why it is not accepted --------------------------------------------------------------------

NOTHING: Final = (None, "")


@pytest.mark.parametrize(
    ("status", "template", "probe", "overlaps"),
    [
        ({}, NOTHING, NOTHING, None),
        (accepted("InvalidTemplate"), (Reason.INVALID_TEMPLATE, "why"), NOTHING, None),
        (accepted("CreateForbidden"), (Reason.CREATE_FORBIDDEN, "why"), NOTHING, None),
        (accepted("ProbeNotFound"), NOTHING, (Reason.PROBE_NOT_FOUND, "why"), None),
        (accepted("AmbiguousPort"), NOTHING, (Reason.AMBIGUOUS_PORT, "why"), None),
        (accepted("ProbeBlocked"), NOTHING, (Reason.PROBE_BLOCKED, "why"), None),
        (accepted("SelectorOverlap"), NOTHING, NOTHING, "why"),
        (accepted("ProbeNotFound", "True"), NOTHING, NOTHING, None),
        (accepted("SelectorOverlap", "True"), NOTHING, NOTHING, None),
    ],
)
def test_why_a_set_is_not_accepted_is_taken_from_the_operator_s_word(
    status: dict[str, Any], template: Any, probe: Any, overlaps: str | None
) -> None:
    """X-11: each reason speaks of one thing."""
    seen = rebuilt(status=status).observed
    assert (seen.template.fault, seen.template.fault_message) == template
    assert seen.probe is not None
    assert (seen.probe.fault, seen.probe.fault_message) == probe
    assert seen.overlaps_with == overlaps


@pytest.mark.parametrize(
    ("status", "checked"),
    [
        ({}, False),
        (accepted("HealthUnknown", "Unknown"), False),
        (accepted("Valid", "True"), True),
        (accepted("ProbeNotFound"), True),
    ],
)
def test_a_template_was_checked_once_the_set_is_accepted_or_refused(
    status: dict[str, Any], *, checked: bool
) -> None:
    """X-11."""
    assert rebuilt(status=status).observed.template.checked is checked


# --- The probe ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "resolved", "asked"), [(8081, None, 8081), (8081, 9000, 8081), (None, 9000, 9000)]
)
def test_the_probe_in_force_is_that_of_the_port_it_names_or_was_resolved_to(
    port: int | None, resolved: int | None, asked: int
) -> None:
    probe = HealthProbe(
        metadata=ObjectMeta(name="web-http", uid="u-1", generation=3),
        spec=HealthProbeSpec.model_validate(raw_probe(port=port)),
        status=HealthProbeStatus(resolved_port=resolved),
    )
    seen = rebuilt(probe=probe, status=accepted("ProbeNotFound")).observed.probe
    assert seen == ProbeView(
        name="web-http",
        identity=f"u-1/3/{asked}",
        interval=timedelta(seconds=5),
        timeout=timedelta(seconds=11),
        port=asked,
        fault=Reason.PROBE_NOT_FOUND,
        fault_message="why",
    )


def test_a_port_that_nobody_has_told_is_none() -> None:
    spec = HealthProbeSpec.model_validate(raw_probe(port=None))
    seen = rebuilt(probe=HealthProbe(metadata=ObjectMeta(name="web-http"), spec=spec)).observed
    assert seen.probe is not None
    assert seen.probe.port == 0


def test_without_a_probe_that_is_named_there_is_none() -> None:
    assert rebuilt(spec={"healthProbeRef": None, "repairs": False}).observed.probe is None


# --- What the operator alone can know ----------------------------------------------------------


def test_what_only_the_operator_can_know_is_taken_from_its_decisions() -> None:
    """X-11: what was refused, what has no room, and whether its view was fresh."""
    rows = [
        unhealthy("web-1", "RepairBackOff", T0 + MINUTE),
        unhealthy("web-2", "RepairBackOff"),
        unhealthy("web-3", "InGracePeriod", T0 + MINUTE),
        unhealthy("web-4", "DisruptionBudget"),
    ]
    seen = rebuilt(status={"unhealthyInstances": rows}).observed
    assert seen.refused_until == {"web-1": T0 + MINUTE}
    said = "a PodDisruptionBudget has no room, as the operator last saw it"
    short = (Budget(name="", allowed=0, said=said),)
    assert seen.disruption == Disruption(over={"web-4": short})
    assert seen.view_is_fresh
    stale = {"unhealthyInstances": [*rows, unhealthy("web-5", "StaleView")]}
    assert not rebuilt(status=stale).observed.view_is_fresh


def test_a_budget_without_room_speaks_in_the_words_of_the_condition_about_it() -> None:
    """X-11: those of no other condition, and never nothing."""
    row = {
        "type": "RepairsAllowed",
        "status": "False",
        "reason": "DisruptionBudget",
        "message": "1 wait, web-4 for PodDisruptionBudget db",
        "lastTransitionTime": T0.isoformat(),
    }
    conditions = [*accepted("Valid", "True")["conditions"], row | {"message": ""}, row]
    rows = [unhealthy("web-4", "DisruptionBudget")]
    seen = rebuilt(status={"unhealthyInstances": rows, "conditions": conditions}).observed
    assert seen.disruption is not None
    assert seen.disruption.over["web-4"][0].said == row["message"]


# --- Verdicts ----------------------------------------------------------------------------------

SINCE = T0 - timedelta(hours=1)
DOUBTS: Final = [{"group": "set", "since": T0.isoformat()}]


def verdict(pod: Instance, *rows: dict[str, Any], doubts: Any = ()) -> Verdict:
    status = {"unhealthyInstances": list(rows), "repairs": {"doubts": list(doubts)}}
    return rebuilt(pod, status=status).verdicts[pod.uid]


def shown(health: VMHealth, reason: str, message: str = "") -> Published:
    return Published(health=health, reason=reason, since=SINCE, message=message)


def held(health: VMHealth, reason: Reason, message: str, **fields: Any) -> Verdict:
    values: dict[str, Any] = {
        "health": health,
        "reason": reason,
        "message": message,
        "since": SINCE,
    }
    return Verdict(**(values | fields))


@pytest.mark.parametrize(
    ("published", "rows", "expected"),
    [
        (
            shown(VMHealth.UNHEALTHY, "WrongStatus", "HTTP 503"),
            [unhealthy("web-1", "InGracePeriod", T0 + MINUTE)],
            held(VMHealth.UNHEALTHY, Reason.WRONG_STATUS, "HTTP 503", fresh=True),
        ),
        (
            shown(VMHealth.HEALTHY, "Answering"),
            [],
            held(VMHealth.HEALTHY, Reason.ANSWERING, "Answering", fresh=True),
        ),
        (
            shown(VMHealth.HEALTHY, "SomethingOfTheFuture", "words"),
            [],
            held(VMHealth.HEALTHY, Reason.HEALTH_UNKNOWN, "words", fresh=True),
        ),
        (
            shown(VMHealth.UNHEALTHY, "WrongStatus", "HTTP 503"),
            [unhealthy("web-1", "HealthUnknown", T0 + MINUTE)],
            held(VMHealth.UNHEALTHY, Reason.HEALTH_UNKNOWN, "HTTP 503", changes_at=T0 + MINUTE),
        ),
        (
            shown(VMHealth.UNHEALTHY, "WrongStatus", "HTTP 503"),
            [unhealthy("web-1", "ProbeInconclusive", T0)],
            held(VMHealth.UNHEALTHY, Reason.PROBE_INCONCLUSIVE, "HTTP 503"),
        ),
        (
            shown(VMHealth.UNKNOWN, "ProbeInconclusive", "silent"),
            [unhealthy("web-1", "ProbeInconclusive")],
            held(VMHealth.UNKNOWN, Reason.PROBE_INCONCLUSIVE, "silent", doubt=Doubtfulness.HELD),
        ),
        (
            shown(VMHealth.UNKNOWN, "ProbeInconclusive", "silent"),
            [unhealthy("web-2", "ProbeInconclusive")],
            held(VMHealth.UNKNOWN, Reason.PROBE_INCONCLUSIVE, "silent"),
        ),
        (
            None,
            [],
            held(
                VMHealth.UNKNOWN,
                Reason.HEALTH_UNKNOWN,
                "nothing is published yet",
                since=instance().created,
            ),
        ),
    ],
)
def test_a_verdict_is_what_stands_on_the_pod_unless_the_operator_doubts_it(
    published: Published | None, rows: list[dict[str, Any]], expected: Verdict
) -> None:
    """X-11: certain where it was acted upon; until when, only where that is to come."""
    pod = instance(health=None)
    assert verdict(replace(pod, published=published), *rows) == expected


def test_in_a_set_that_is_silent_as_a_whole_doubt_is_that_of_the_set() -> None:
    """Protocol rule 18."""
    silent = replace(instance(), published=shown(VMHealth.UNKNOWN, "ProbeInconclusive", "silent"))
    row = unhealthy("web-1", "ProbeInconclusive")
    assert verdict(silent, row, doubts=DOUBTS).doubt is Doubtfulness.SET_SILENT
    assert verdict(silent, row).doubt is Doubtfulness.HELD


def test_one_that_was_renewed_has_not_shown_itself_until_it_says_so() -> None:
    """By this clock."""
    found = verdict(replace(instance(renewing=True), started=None))
    assert (found.reason, found.since) == (Reason.RESTARTING, T0)

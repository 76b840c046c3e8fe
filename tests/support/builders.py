"""What core's tests are made of: instances, evidence, observations and specs with sane defaults.

Every builder takes keywords only; what a test does not name is plain and healthy. Times are
relative to T0. It must not know what is decided from any of it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import VMHealth, format_time
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.observed import (
    Containers,
    Evidence,
    Instance,
    Neighbour,
    Observed,
    Outcome,
    ProberView,
    ProbeView,
    Published,
    TemplateView,
)
from tests.support.fake_clock import T0

__all__ = [
    "HOUR",
    "INTERVAL",
    "MODEL",
    "T0",
    "TEMPLATE",
    "TIMEOUT",
    "evidence",
    "instance",
    "instances",
    "neighbours",
    "observed",
    "probe_view",
    "raw_probe",
    "raw_spec",
    "scale_set_spec",
]

MODEL: Final = "m1"
HOUR: Final = timedelta(hours=1)
INTERVAL: Final = timedelta(seconds=5)
TIMEOUT: Final = timedelta(seconds=11)
TEMPLATE: Final[dict[str, Any]] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "containers": [
            {"name": "web", "image": "instance:1", "ports": [{"containerPort": 8080}]},
        ]
    },
}

RUNNING: Final = Containers(names=("web",), images=("instance:1",), image_ids=("",), restarts=(0,))
NOT_MADE: Final = Containers(
    names=("web",), images=("instance:1",), image_ids=("",), restarts=(-1,)
)


def instance(
    *,
    number: int = 1,
    set_name: str = "web",
    health: VMHealth | None = VMHealth.HEALTHY,
    since: datetime = T0 - HOUR,
    started: datetime | None = T0 - HOUR,
    **fields: Any,
) -> Instance:
    """One pod: web-1, on the latest model, running for an hour, healthy and in rotation.

    Args:
        health: as published on the pod; None where nothing was published yet.
        since: since when it has this health.
        started: when its containers first ran; None while they have not.
        fields: any other field of `Instance`.
    """
    runs = started is not None
    published = None
    if health is not None:
        reason = "Answering" if health is VMHealth.HEALTHY else "WrongStatus"
        published = Published(health=health, reason=reason, since=since)
    defaults: dict[str, Any] = {
        "name": f"{set_name}-{number}",
        "uid": f"uid-{set_name}-{number}",
        "resource_version": str(100 + number),
        "instance_id": number,
        "update_domain": (number - 1) % 5,
        "model": MODEL,
        "created": (started or T0) - timedelta(seconds=2),
        "ip": f"127.16.{number // 250}.{number % 250 + 1}" if runs else None,
        "node": f"node-{number % 3 + 1}",
        "started": started,
        "started_is_recorded": runs,
        "containers_ready": runs,
        "containers": RUNNING if runs else NOT_MADE,
        "ready": runs and health is VMHealth.HEALTHY,
        "published": published,
        "in_rotation": None if published is None else health is VMHealth.HEALTHY,
    }
    return Instance(**(defaults | fields))


def instances(count: int, *, unhealthy: Iterable[int] = (), **fields: Any) -> tuple[Instance, ...]:
    """Instances 1 to `count`; the numbers in `unhealthy` are published Unhealthy."""
    bad = frozenset(unhealthy)
    health = (VMHealth.HEALTHY, VMHealth.UNHEALTHY)
    return tuple(
        instance(number=number, **({"health": health[number in bad]} | fields))
        for number in range(1, count + 1)
    )


def evidence(
    *,
    now: datetime = T0,
    outcome: Outcome | None = Outcome.OK,
    watched_for: timedelta = HOUR,
    for_: timedelta = timedelta(minutes=5),
    interval: timedelta = INTERVAL,
    **fields: Any,
) -> Evidence:
    """What a prober knows that found the same outcome for some time.

    Args:
        now: the moment at which it is asked; the last attempt ended one second before.
        outcome: of the last attempts; None before the first has ended.
        watched_for: for how long the prober has watched; a shorter `for_` had successes before.
        for_: for how long this outcome has stood; not longer than `watched_for`.
        interval: between attempts.
        fields: any field of `Evidence`, as it shall be instead.
    """
    watched_since = now - watched_for
    values: dict[str, Any] = {"watched_since": watched_since}
    if outcome is not None:
        ended = now - timedelta(seconds=1)
        first = max(now - for_, watched_since)
        silent = outcome.silent
        values |= {
            "outcome": outcome,
            "last_ended": ended,
            "last_begun": ended - (interval if silent else timedelta(milliseconds=2)),
            "http_status": {Outcome.OK: 200, Outcome.WRONG_STATUS: 503}.get(outcome, 0),
        }
        answered = None if first - interval <= watched_since else first - interval
        values |= _success(first, ended) if outcome is Outcome.OK else _failure(first, answered)
        values["silent_since"] = first if silent else None
    return Evidence(**(values | fields))


def _success(first: datetime, ended: datetime) -> dict[str, Any]:
    return {"last_success": ended, "answering_since": first}


def _failure(first: datetime, answered: datetime | None) -> dict[str, Any]:
    since = None if answered is None else min(answered, first - HOUR)
    return {"failing_since": first, "last_success": answered, "answering_since": since}


def probe_view(**fields: Any) -> ProbeView:
    """The probe web-http, each 5 s with a timeout of 11 s."""
    defaults: dict[str, Any] = {
        "name": "web-http",
        "identity": "u/1/8080",
        "interval": INTERVAL,
        "timeout": TIMEOUT,
    }
    return ProbeView(**(defaults | fields))


def observed(
    *,
    instances: Iterable[Instance] = (),
    now: datetime = T0,
    bad: Mapping[str, Outcome | Evidence] | None = None,
    status: ScaleSetStatus | Mapping[str, Any] | None = None,
    **fields: Any,
) -> Observed:
    """An observation of the set default/web in which every instance with an address answers.

    Args:
        instances: the set's pods; the nodes they are on are Ready.
        now: the moment of the observation.
        bad: evidence of those that do not answer: name -> outcome, for five minutes, or evidence.
        status: as recorded; a mapping takes the wire's names.
        fields: any other field of `Observed`, as it shall be instead.
    """
    pods = tuple(instances)
    found = _evidence(pods, bad or {}, now)
    defaults: dict[str, Any] = {
        "namespace": "default",
        "name": "web",
        "uid": "uid-web",
        "generation": 1,
        "status": _status(status, pods, now),
        "template": TemplateView(model=MODEL),
        "instances": pods,
        "probe": probe_view(),
        "prober": ProberView(beating_since=now - HOUR),
        "evidence": found,
        "neighbours": neighbours(pods, found),
        "nodes": {pod.node: True for pod in pods if pod.node is not None},
    }
    return Observed(**(defaults | fields))


def neighbours(
    pods: Iterable[Instance], found: Mapping[str, Evidence]
) -> dict[str, tuple[Neighbour, ...]]:
    """Node -> what rules 16 and 17 need of the watched pods on it."""
    by_node: dict[str, tuple[Neighbour, ...]] = {}
    for pod in pods:
        if pod.node is None or pod.uid not in found:
            continue
        one = found[pod.uid]
        near = Neighbour(uid=pod.uid, silent=one.silent, last_ended=one.last_ended)
        by_node[pod.node] = (*by_node.get(pod.node, ()), near)
    return by_node


def _evidence(
    pods: Iterable[Instance], bad: Mapping[str, Outcome | Evidence], now: datetime
) -> dict[str, Evidence]:
    found = {}
    for pod in pods:
        if pod.ip is None or not pod.live:
            continue
        one = bad.get(pod.name, Outcome.OK)
        found[pod.uid] = one if isinstance(one, Evidence) else evidence(now=now, outcome=one)
    unknown = bad.keys() - {pod.name for pod in pods}
    assert not unknown, f"evidence of instances that are not there: {unknown}"
    return found


def _status(
    status: ScaleSetStatus | Mapping[str, Any] | None, pods: Iterable[Instance], now: datetime
) -> ScaleSetStatus:
    if isinstance(status, ScaleSetStatus):
        return status
    known: dict[str, Any] = {
        "latestModel": MODEL,
        "lastInstanceId": max((pod.instance_id for pod in pods), default=0),
        "repairs": {"enabledTime": format_time(now - HOUR)},
    }
    given = dict(status or {})
    given["repairs"] = known["repairs"] | dict(given.get("repairs", {}))
    return ScaleSetStatus.model_validate(known | given)


def scale_set_spec(
    *,
    replicas: int = 40,
    repairs: bool = True,
    grace: timedelta | str = "PT30M",
    policy: Mapping[str, Any] | None = None,
    **fields: Any,
) -> ScaleSetSpec:
    """The spec of web: repairs on, the probe web-http.

    Args:
        repairs: whether automatic repairs are enabled.
        grace: gracePeriod; one outside of 30 to 90 minutes goes with limits Extended.
        policy: more of automaticRepairsPolicy, by the wire's names.
        fields: more of the spec, by the wire's names; None takes a field away.
    """
    raw = raw_spec(replicas=replicas, repairs=repairs, grace=grace, policy=policy, **fields)
    return ScaleSetSpec.model_validate(raw)


def raw_spec(
    *,
    replicas: int = 40,
    repairs: bool = True,
    grace: timedelta | str = "PT30M",
    policy: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """The same as `scale_set_spec`, as the API server holds it."""
    text = grace if isinstance(grace, str) else f"PT{int(grace.total_seconds())}S"
    limits = "Standard" if text == "PT30M" and replicas <= 200 else "Extended"
    raw = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": TEMPLATE,
        "healthProbeRef": {"name": "web-http"},
        "automaticRepairsPolicy": {
            "enabled": repairs,
            "gracePeriod": text,
            "limits": limits,
            **(policy or {}),
        },
        **fields,
    }
    return {name: value for name, value in raw.items() if value is not None}


def raw_probe(**fields: Any) -> dict[str, Any]:
    """The spec of the HealthProbe web-http: GET /healthz each 5 s, timeout 11 s."""
    return {
        "protocol": "http",
        "path": "/healthz",
        "port": 8080,
        "intervalInSeconds": 5,
        "timeoutInSeconds": 11,
        **fields,
    }

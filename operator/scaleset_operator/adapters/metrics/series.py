"""Every series there is: its name, its kind, its labels and what it means.

docs/metrics.md is made from here, and the registry too: neither can know what the other does not.
Must not know: how a value comes about, or the library that exposes it.
"""

from collections.abc import Mapping
from typing import Final

from scaleset_operator.adapters.metrics import outboundseries as outbound
from scaleset_operator.adapters.metrics.definition import Kind, Series
from scaleset_operator.adapters.prober.counts import DURATION_BOUNDS_NS
from scaleset_operator.adapters.scheduled_events.answers import Outcome

_SET: Final = {"namespace": "of the ScaleSet", "scaleset": "its name"}
_CODE: Final = "a reason code of docs/reasons.md"
_KIND: Final = {"kind": "ScaleSet, HealthProbe, MaintenanceWindow or OutboundRule: whose turns"}
_RESULT: Final = "Succeeded, Failed or Cancelled"
_ACTION: Final = "Replace, Restart or Reimage"

REPAIR_BUCKETS: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
TURN_BUCKETS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0)
REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)

INSTANCES: Final = Series(
    name="scaleset_instances",
    kind=Kind.GAUGE,
    text="Instances by health: pods owned that are neither Terminating nor over.",
    labels=_SET | {"health": "Healthy, Unhealthy or Unknown"},
)
CONDITION: Final = Series(
    name="scaleset_condition",
    kind=Kind.GAUGE,
    text="1 for the status that each condition of the set has now; other statuses have no series.",
    labels=_SET | {"type": "of the condition", "status": "True, False or Unknown"},
)
REPAIRS: Final = Series(
    name="scaleset_repairs_total",
    kind=Kind.COUNTER,
    text="Repairs that ended, counted by the operator that recorded their end.",
    labels=_SET
    | {"action": _ACTION, "cause": f"{_CODE}, Unknown where none is recorded", "result": _RESULT},
)
REPAIR_DURATION: Final = Series(
    name="scaleset_repair_duration_seconds",
    kind=Kind.HISTOGRAM,
    text="From the record of a repair to the record of its end.",
    labels={"action": _ACTION, "result": _RESULT},
    buckets=REPAIR_BUCKETS,
)
REPAIRS_IN_FLIGHT: Final = Series(
    name="scaleset_repairs_in_flight",
    kind=Kind.GAUGE,
    text="Repairs under way; each holds a slot of the batch limit.",
    labels=_SET,
)
REPAIR_BATCH_LIMIT: Final = Series(
    name="scaleset_repair_batch_limit",
    kind=Kind.GAUGE,
    text="The most repairs that may be under way at once, now; 0 while repairs are not enabled.",
    labels=_SET,
)
REPAIR_DEFERRED: Final = Series(
    name="scaleset_repair_deferred",
    kind=Kind.GAUGE,
    text="Instances that are not healthy and not under repair, by the rule that holds them back; "
    "no series where there are none.",
    labels=_SET | {"reason": _CODE},
)
SERVICE_STATE: Final = Series(
    name="scaleset_repairs_service_state",
    kind=Kind.GAUGE,
    text="1 for the state that automatic repairs have now; none without a repairs policy.",
    labels=_SET
    | {"state": "Running, Suspended or NotRunning", "by": "User, Platform or empty: who suspended"},
)
DELETIONS: Final = Series(
    name="scaleset_deletions_total",
    kind=Kind.COUNTER,
    text="Deletions of instances that the API server accepted, by purpose.",
    labels=_SET | {"reason": "repair, scale_in, rollout, witness or over"},
)

EVICTIONS: Final = Series(
    name="scaleset_evictions_total",
    kind=Kind.COUNTER,
    text="Evictions that were asked for to move an instance, by what the API server said.",
    labels=_SET
    | {
        "outcome": "accepted, disruption_budget, refused, changed: the pod is another one or has "
        "changed, too_late: not sent, or unavailable"
    },
)
MOVES: Final = Series(
    name="scaleset_moves_total",
    kind=Kind.COUNTER,
    text="Moves of instances to updated nodes that ended, counted by the operator that recorded "
    "their end.",
    labels=_SET
    | {
        "origin": "SelfService or Scheduled: who began it",
        "result": "MaintenanceCompleted, MaintenanceAborted, RetryLater or None",
    },
)

PROBE_RESULTS: Final = Series(
    name="scaleset_probe_results_total",
    kind=Kind.COUNTER,
    text="Probe attempts that ended, by result.",
    labels={
        "result": "ok, wrong_status, malformed, refused, timed_out, unreachable, or voided: "
        "spoiled by the prober itself"
    },
)
PROBE_DURATION: Final = Series(
    name="scaleset_probe_duration_seconds",
    kind=Kind.HISTOGRAM,
    text="From the begin of a probe attempt to its end.",
    buckets=tuple(bound / 1e9 for bound in DURATION_BOUNDS_NS),
)
PROBE_LAG: Final = Series(
    name="scaleset_probe_schedule_lag_seconds",
    kind=Kind.GAUGE,
    text="Longest delay of a probe attempt behind its due time within the last minute.",
)
PROBE_TARGETS: Final = Series(
    name="scaleset_probe_targets", kind=Kind.GAUGE, text="Instances that are probed."
)
PROBER_UP: Final = Series(
    name="scaleset_prober_up",
    kind=Kind.GAUGE,
    text="1 while the prober's heart beats; repairs are withheld while it does not.",
)
PROBER_SEES: Final = Series(
    name="scaleset_prober_sees",
    kind=Kind.GAUGE,
    text="1 while the prober reaches its reference targets; while not, its silence is no evidence.",
)
PROBER_STARTS: Final = Series(
    name="scaleset_prober_starts_total", kind=Kind.COUNTER, text="Starts of the prober's process."
)

TURN_DURATION: Final = Series(
    name="scaleset_turn_duration_seconds",
    kind=Kind.HISTOGRAM,
    text="Turns of the loop: observe, decide, record, act; the wait for the API server included.",
    labels=_KIND | {"result": "Done, Unavailable (the API server could not be asked) or Failed"},
    buckets=TURN_BUCKETS,
)
QUEUE_DEPTH: Final = Series(
    name="scaleset_queue_depth",
    kind=Kind.GAUGE,
    text="Keys that wait for a turn.",
    labels=_KIND,
)
QUEUE_OLDEST: Final = Series(
    name="scaleset_queue_oldest_seconds",
    kind=Kind.GAUGE,
    text="How long the key that waits longest has waited; 0 while none waits.",
    labels=_KIND,
)
API_REQUESTS: Final = Series(
    name="scaleset_api_requests_total",
    kind=Kind.COUNTER,
    text="Requests of the operator to the API server; those of its watch of the custom resources "
    "are not counted.",
    labels={
        "verb": "get, list, watch, create, patch or delete",
        "code": "the HTTP status, or none where no answer came",
    },
)
API_DURATION: Final = Series(
    name="scaleset_api_request_duration_seconds",
    kind=Kind.HISTOGRAM,
    text="From a request to its answer; of a watch, to its begin.",
    labels={"verb": "as above"},
    buckets=REQUEST_BUCKETS,
)
POD_CACHE_CUT: Final = Series(
    name="scaleset_pod_cache_cut_seconds",
    kind=Kind.GAUGE,
    text="How long the watch of the pods has been gone, 0 while it stands; no series before the "
    "first list is in.",
)
WATCH_STARTS: Final = Series(
    name="scaleset_resource_watch_starts_total",
    kind=Kind.COUNTER,
    text="Starts of the watch of the custom resources (kopf); above 1, it had ended and was begun "
    "again.",
)
LEADER: Final = Series(
    name="scaleset_leader",
    kind=Kind.GAUGE,
    text="1 while this operator takes turns and writes, 0 while it stands by; without "
    "--leader-elect always 1. The series of sets are the leader's: a standby has none.",
)
VANTAGE_UP: Final = Series(
    name="scaleset_vantage_up",
    kind=Kind.GAUGE,
    text="1 while another replica answers this one, the leader, about instances that are silent "
    "here.",
)
EVENT_REQUESTS: Final = Series(
    name="scaleset_scheduled_event_requests_total",
    kind=Kind.COUNTER,
    text="Connections to the port of the scheduled events that ended, by outcome.",
    labels={"outcome": f"{', '.join(Outcome)} (closed before a request was read)"},
)
BUILD: Final = Series(
    name="scaleset_operator_info",
    kind=Kind.GAUGE,
    text="Always 1.",
    labels={"version": "of the operator"},
)


def _process(prefix: str, whose: str) -> tuple[Series, ...]:
    texts = (
        ("cpu_seconds_total", Kind.COUNTER, "Processor time"),
        ("resident_memory_bytes", Kind.GAUGE, "Resident memory"),
        ("virtual_memory_bytes", Kind.GAUGE, "Virtual memory"),
        ("start_time_seconds", Kind.GAUGE, "Start, in seconds since 1970,"),
        ("open_fds", Kind.GAUGE, "Open file descriptors"),
        ("max_fds", Kind.GAUGE, "Most file descriptors"),
    )
    return tuple(
        Series(name=f"{prefix}process_{name}", kind=kind, text=f"{text} of {whose}.")
        for name, kind, text in texts
    )


PROBER_PREFIX: Final = "scaleset_prober_"

SECTIONS: Final[Mapping[str, tuple[Series, ...]]] = {
    "Sets": (INSTANCES, CONDITION),
    "Repairs": (
        REPAIRS,
        REPAIR_DURATION,
        REPAIRS_IN_FLIGHT,
        REPAIR_BATCH_LIMIT,
        REPAIR_DEFERRED,
        SERVICE_STATE,
        DELETIONS,
    ),
    "Maintenance": (MOVES, EVICTIONS),
    "Outbound ports": outbound.ALL,
    "Probes": (
        PROBE_RESULTS,
        PROBE_DURATION,
        PROBE_LAG,
        PROBE_TARGETS,
        PROBER_UP,
        PROBER_SEES,
        PROBER_STARTS,
    ),
    "The loop": (TURN_DURATION, QUEUE_DEPTH, QUEUE_OLDEST, WATCH_STARTS, BUILD),
    "Several replicas": (LEADER, VANTAGE_UP),
    "Scheduled events": (EVENT_REQUESTS,),
    "The API server": (API_REQUESTS, API_DURATION, POD_CACHE_CUT),
    "The processes": (
        *_process("", "the operator"),
        *_process(PROBER_PREFIX, "the prober"),
    ),
}
ALL: Final = tuple(series for section in SECTIONS.values() for series in section)

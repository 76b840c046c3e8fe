"""The demo's own books on the instances, kept from the API server's watch of pods alone.

They are the proof: they do not read the operator's ledger and share no code with it. A deletion is
in flight from the moment a pod is seen to be going until one more new pod was seen Healthy.
Must not know: the status of the set, or anything the operator says about itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

HEALTHY: Final = "scaleset.dev/Healthy"
REPLACES: Final = "scaleset.dev/replaces"
ANSWER: Final = "demo/answer"


@dataclass(slots=True, kw_only=True)
class Life:
    """One pod, from first to last sight; times are CLOCK_MONOTONIC in seconds."""

    name: str
    address: str = ""
    replaces: str | None = None
    answer: str = ""
    """What a person wants its endpoint to do, by the annotation ANSWER."""
    runs: bool = False
    """Whether its containers have been seen to run."""
    ready: bool = False
    health: str = "Unknown"
    """True, False or Unknown, as its condition says."""
    health_reason: str = ""
    health_message: str = ""
    first_healthy: float | None = None
    unhealthy: float | None = None
    going: float | None = None
    """When it was first seen to be going or gone."""
    lived: timedelta | None = None
    """From the start of its containers to the DELETE, by the API server's clock."""

    @property
    def live(self) -> bool:
        """Whether nobody has deleted it."""
        return self.going is None


@dataclass(slots=True)
class Books:
    """All pods ever seen, by UID, and the most that were in flight at once."""

    lives: dict[str, Life] = field(default_factory=dict)
    most_in_flight: int = 0
    least_ready: int = 0
    _before: frozenset[str] = frozenset()
    _gone_before: frozenset[str] = frozenset()

    def open(self) -> None:
        """Count from here: pods already seen are the old ones, those to come make up for them."""
        self._before = frozenset(self.lives)
        self._gone_before = frozenset(uid for uid, life in self.lives.items() if not life.live)
        self.most_in_flight = 0
        self.least_ready = self.ready

    def take(self, what: str, pod: dict[str, Any], at: float) -> Life:
        """Enter one change; gives the life it belongs to."""
        meta = pod["metadata"]
        life = self.lives.setdefault(meta["uid"], Life(name=meta["name"]))
        annotations = meta.get("annotations", {})
        life.replaces = annotations.get(REPLACES, life.replaces)
        life.answer = annotations.get(ANSWER, "")
        life.address = pod.get("status", {}).get("podIP") or life.address
        life.runs = life.runs or bool(_starts(pod))
        conditions = {c["type"]: c for c in pod.get("status", {}).get("conditions", [])}
        life.ready = conditions.get("Ready", {}).get("status") == "True"
        self._health(life, conditions.get(HEALTHY, {}), at)
        if life.live and (what == "DELETED" or "deletionTimestamp" in meta):
            life.going = at
            life.lived = _lived(pod)
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self.least_ready = min(self.least_ready, self.ready)
        return life

    @property
    def deleted(self) -> list[Life]:
        """Pods seen to go since the books were opened, the first first."""
        gone = [
            life
            for uid, life in self.lives.items()
            if not life.live and uid not in self._gone_before
        ]
        return sorted(gone, key=lambda life: life.going or 0.0)

    @property
    def in_flight(self) -> int:
        """Deletions since the books were opened for which no new pod has been Healthy yet."""
        made_up = sum(
            life.first_healthy is not None
            for uid, life in self.lives.items()
            if uid not in self._before
        )
        return len(self.deleted) - made_up

    def living(self) -> list[Life]:
        """The pods that have an address and that nobody has deleted."""
        return [life for life in self.lives.values() if life.live and life.address]

    @property
    def ready(self) -> int:
        """How many live pods are Ready, and so in the rotation of a Service."""
        return sum(life.ready for life in self.lives.values() if life.live)

    @property
    def healthy(self) -> int:
        """How many live pods are Healthy."""
        return sum(life.health == "True" for life in self.lives.values() if life.live)

    def successor(self, name: str) -> Life | None:
        """The pod that says it replaces the one of this name."""
        return next((life for life in self.lives.values() if life.replaces == name), None)

    def _health(self, life: Life, condition: dict[str, Any], at: float) -> None:
        before, life.health = life.health, condition.get("status", "Unknown")
        life.health_reason = condition.get("reason", "")
        life.health_message = condition.get("message", "")
        if life.health == "True" and life.first_healthy is None:
            life.first_healthy = at
        if life.health == "False" and before != "False":
            life.unhealthy = at


def _lived(pod: dict[str, Any]) -> timedelta | None:
    """None where the containers never ran, or where the DELETE left no time."""
    going = pod["metadata"].get("deletionTimestamp")
    starts = _starts(pod)
    if going is None or not starts:
        return None
    # The server writes down when the pod has to be gone: the DELETE plus the time it was given.
    given = timedelta(seconds=pod["metadata"].get("deletionGracePeriodSeconds", 0))
    return datetime.fromisoformat(going) - given - max(starts)


def _starts(pod: dict[str, Any]) -> list[datetime]:
    """When each running container started."""
    states = pod.get("status", {}).get("containerStatuses", [])
    running = (s["state"]["running"] for s in states if "running" in s.get("state", {}))
    return [datetime.fromisoformat(state["startedAt"]) for state in running]

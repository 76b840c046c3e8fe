"""Forged histories for the auditor's own tests: raw objects and a clock, event by event.

Nothing of the operator is used here either. It must not know what the auditor makes of it.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, Self

from tests.support.auditor import Auditor

START: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
GRACE: Final = timedelta(minutes=30)
PREFIX: Final = "scaleset.dev/"

Json = dict[str, Any]


class Forger:
    """One set `web` of instances that have run for two hours, and an auditor that sees it all."""

    def __init__(self, desired: int = 40, **policy: Any) -> None:
        self.auditor = Auditor()
        self.at = START
        self.pods: dict[str, Json] = {}
        self._versions = count(1)
        self.set: Json = {
            "kind": "ScaleSet",
            "metadata": {"name": "web", "namespace": "shop", "uid": "set-1", "annotations": {}},
            "spec": {
                "replicas": desired,
                "healthProbeRef": {"name": "web-http"},
                "automaticRepairsPolicy": {"enabled": True, "gracePeriod": "PT30M", **policy},
            },
            "status": {"scaleIn": [], "renewals": [], "repairs": {"inFlight": [], "doubts": []}},
        }
        self.auditor.see("ADDED", self.set, self.at)
        self.auditor.see("ADDED", _probe(), self.at)
        for number in range(1, desired + 1):
            self.create(number, started=START - timedelta(hours=2), healthy="True")

    @property
    def ledger(self) -> Json:
        """status.repairs, to be changed; `tell` shows it."""
        repairs: Json = self.set["status"]["repairs"]
        return repairs

    def only(self) -> str:
        """The one violation that was found."""
        (text,) = self.auditor.violations()
        return text

    def none(self) -> bool:
        """Whether nothing was found; fails, showing it, where something was."""
        assert self.auditor.violations() == []
        return True

    def after(self, seconds: float) -> Self:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)
        return self

    def tell(self) -> Self:
        """The set is written as it now stands."""
        self.auditor.see("MODIFIED", _copy(self.set), self.at)
        return self

    def create(
        self,
        number: int,
        *,
        started: datetime | None = None,
        healthy: str | None = None,
        name: str | None = None,
        **marks: str,
    ) -> Self:
        """A pod of the set appears; marks are annotations under our prefix."""
        name = name or f"web-{number}"
        pod: Json = {
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "shop",
                "uid": f"uid-{next(self._versions)}",
                "labels": {f"{PREFIX}instance-id": str(number), f"{PREFIX}model": "m1"},
                "annotations": {f"{PREFIX}{key}": text for key, text in marks.items()},
                "ownerReferences": [{"kind": "ScaleSet", "uid": "set-1", "controller": True}],
            },
            "spec": {"containers": [{"name": "web"}]},
            "status": {"phase": "Pending", "conditions": []},
        }
        self.pods[name] = pod
        self._run(pod, started)
        self._health(pod, healthy)
        self.auditor.see("ADDED", _copy(pod), self.at)
        return self

    def runs(self, *names: str) -> Self:
        """The containers run from now on."""
        for name in names:
            self._run(self.pods[name], self.at)
            self._see(name)
        return self

    def health(self, healthy: str, *names: str) -> Self:
        """The Healthy condition is written."""
        for name in names:
            self._health(self.pods[name], healthy)
            self._see(name)
        return self

    def label(self, name: str, label: str) -> Self:
        """Somebody labels the pod."""
        self.pods[name]["metadata"]["labels"][f"{PREFIX}{label}"] = "true"
        return self._see(name)

    def annotate(self, name: str, key: str, text: str) -> Self:
        """Somebody annotates the pod."""
        self.pods[name]["metadata"]["annotations"][f"{PREFIX}{key}"] = text
        return self._see(name)

    def disown(self, name: str) -> Self:
        """The pod is released."""
        del self.pods[name]["metadata"]["ownerReferences"]
        return self._see(name)

    def fails(self, name: str) -> Self:
        """The pod is over by itself."""
        self.pods[name]["status"]["phase"] = "Failed"
        return self._see(name)

    def record(self, *pairs: tuple[str, str], phase: str = "Recorded") -> Self:
        """Repairs are written into the ledger: (victim, replacement)."""
        for victim, replacement in pairs:
            entry = {"uid": self.uid(victim), "replacement": replacement, "phase": phase}
            self.ledger["inFlight"].append(entry)
        return self.tell()

    def give_notice(self, victim: str, replacement: str, seconds: float = 300) -> Self:
        """A repair is recorded with its deadline, the pod told, and then the ledger says so."""
        due = (self.at + timedelta(seconds=seconds)).isoformat()
        self.record((victim, replacement))
        self.entry(victim)["terminateAt"] = due
        self.tell().annotate(victim, "terminate-at", due)
        self.entry(victim)["phase"] = "Notified"
        return self.tell()

    def entry(self, victim: str) -> Json:
        """Its row in the ledger, to be changed; `tell` shows it."""
        rows: list[Json] = self.ledger["inFlight"]
        return next(row for row in rows if row["uid"] == self.uid(victim))

    def close(self, *victims: str) -> Self:
        """Repairs are taken out of the ledger."""
        uids = {self.uid(name) for name in victims}
        rows = self.ledger["inFlight"]
        self.ledger["inFlight"] = [row for row in rows if row["uid"] not in uids]
        return self.tell()

    def announce(self, purpose: str, *names: str) -> Self:
        """Removals other than repairs are written into the status."""
        for name in names:
            row = {"uid": self.uid(name), "name": name, "purpose": purpose}
            self.set["status"]["scaleIn"].append(row)
        return self.tell()

    def announce_renewal(self, *names: str, model: str = "m2") -> Self:
        """Renewals by a rollout are written into the status."""
        for name in names:
            row = {"uid": self.uid(name), "instance": name, "model": model}
            self.set["status"]["renewals"].append(row)
        return self.tell()

    def renew(self, *names: str, model: str = "m2") -> Self:
        """Pods are given other images: their last start goes with the old ones."""
        for name in names:
            pod = self.pods[name]
            pod["spec"]["containers"] = [{"name": "web", "image": model}]
            pod["metadata"]["labels"][f"{PREFIX}model"] = model
            pod["metadata"]["annotations"].pop(f"{PREFIX}state-change-time", None)
            pod["metadata"]["annotations"][f"{PREFIX}renewed-from"] = "0"
            self._see(name)
        return self

    def delete(self, *names: str) -> Self:
        """Deletions are accepted."""
        for name in names:
            self.pods[name]["metadata"]["deletionTimestamp"] = self.at.isoformat()
            self._see(name)
        return self

    def gone(self, *names: str) -> Self:
        """The objects are gone."""
        for name in names:
            self.auditor.see("DELETED", _copy(self.pods[name]), self.at)
        return self

    def repair(self, number: int, replacement: int, *, healthy: bool = True) -> Self:
        """One whole repair by the book, seconds apart; `healthy` says how it ends."""
        victim, new = f"web-{number}", f"web-{replacement}"
        self.health("False", victim).after(60).record((victim, new)).after(1).delete(victim)
        self.create(replacement).after(1).gone(victim).runs(new)
        if healthy:
            self.after(10).health("True", new).close(victim)
        return self

    def uid(self, name: str) -> str:
        """The UID of the pod that has, or last had, this name."""
        return str(self.pods[name]["metadata"]["uid"])

    def _see(self, name: str) -> Self:
        self.auditor.see("MODIFIED", _copy(self.pods[name]), self.at)
        return self

    def _run(self, pod: Json, started: datetime | None) -> None:
        if started is not None:
            pod["status"]["phase"] = "Running"
            state = {"running": {"startedAt": started.isoformat()}}
            pod["status"]["containerStatuses"] = [{"name": "web", "state": state}]

    def _health(self, pod: Json, healthy: str | None) -> None:
        if healthy is not None:
            pod["status"]["conditions"] = [{"type": f"{PREFIX}Healthy", "status": healthy}]


def _probe() -> Json:
    return {
        "kind": "HealthProbe",
        "metadata": {"name": "web-http", "namespace": "shop", "uid": "probe-1"},
        "spec": {"intervalInSeconds": 5, "timeoutInSeconds": 11},
    }


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(part) for key, part in value.items()}
    return [_copy(part) for part in value] if isinstance(value, list) else value

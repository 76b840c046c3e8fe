"""Whoever watches the simulated API server and calls a foul: the invariants, from its own books.

Looks at the pods and the sets' specs; what a DELETE was for is announced before it is sent. Of the
ledger it takes no count and no close, only the name of a replacement that was there before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_OPERATION,
    ANNOTATION_REPAIR,
    ANNOTATION_REPLACES,
    ANNOTATION_STATE_CHANGE_TIME,
    ANNOTATION_TERMINATE_AT,
    CONDITION_HEALTHY,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
)
from scaleset_operator.core.images import plain
from scaleset_operator.core.plan import DeleteInstance, Purpose, RenewInstance
from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.objects import FakePod, ObjectKey, start_of

GRACE: Final = timedelta(seconds=20)
SLOT_GRACE: Final = timedelta(seconds=20)
"""Of a set with a grace of 20 s under a probe of 5/11."""
BATCH_PERCENT: Final = 20
"""maxBatchInstancePercent, where a test does not say otherwise."""
SPEC_LAG: Final = timedelta(seconds=6)
"""A deletion follows its record within 5 s; the spec may have changed since."""


@dataclass(slots=True)
class Debt:
    """An instance deleted or restarted by a repair and not made up for yet.

    Attributes:
        in_place: UID of the pod that stays and has its containers renewed.
    """

    name: str
    deleted: datetime
    scaled_in: bool = False
    in_place: str | None = None


@dataclass
class Referee:
    """Books of one server.

    Attributes:
        repaired: names of instances deleted by a repair, in order.
        renewed: names of instances renewed in place by one, in order.
        rolled: names of instances that a rollout renewed in place, in order.
        most_in_flight: the largest number of debts seen at once.
        removed: what the operators deleted, with its purpose, in order.
        notices: UID of a victim -> the deadline that it was told.
        allow_healthy_repairs: names whose repair is no foul although their endpoint answers.
    """

    server: FakeApiServer
    repaired: list[str] = field(default_factory=list)
    renewed: list[str] = field(default_factory=list)
    rolled: list[str] = field(default_factory=list)
    most_in_flight: int = 0
    fouls: list[str] = field(default_factory=list)
    debts: dict[str, Debt] = field(default_factory=dict)
    removed: list[tuple[Purpose, str]] = field(default_factory=list)
    notices: dict[str, datetime] = field(default_factory=dict)
    _out: dict[str, datetime] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    _purposes: dict[str, Purpose] = field(default_factory=dict)
    _renewals: dict[str, Purpose] = field(default_factory=dict)
    _known: dict[str, FakePod] = field(default_factory=dict)
    _templates: list[tuple[str, ...]] = field(default_factory=list)
    _burnt: set[str] = field(default_factory=set)
    _desired: list[tuple[datetime, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin to watch."""
        self.server.subscribe(self._see)

    def announce(self, action: DeleteInstance | RenewInstance) -> None:
        """A DELETE or new images for this purpose are about to be sent."""
        deletes = isinstance(action, DeleteInstance)
        (self._purposes if deletes else self._renewals)[action.uid] = action.purpose

    def check(self) -> None:
        """Settle the debts that are made up for, and fail on the first foul."""
        self._settle()
        assert not self.fouls, self.fouls[0]

    def allowance(self) -> int:
        """The most repairs any record of the last seconds could allow."""
        now = self.server.clock.now()
        recent = [n for at, n in self._desired if now - at <= SPEC_LAG]
        latest = self._desired[-1][1] if self._desired else 0
        return max(1, max([*recent, latest]) * 5 // 100)

    def _see(self, change: Change) -> None:
        now = self.server.clock.now()
        if change.key.kind == "ScaleSet" and change.verb != "DELETED":
            wanted = _images(change.manifest()["spec"]["template"].get("spec") or {})
            if self._templates[-1:] != [wanted]:
                self._templates.append(wanted)
            replicas = change.manifest()["spec"]["replicas"]
            if self._desired and replicas < self._desired[-1][1]:
                for debt in self.debts.values():
                    debt.scaled_in = True
            if self._desired and self._desired[-1][1] != replicas:
                # The old value may have been acted on until just now.
                self._desired.append((now, self._desired[-1][1]))
            self._desired.append((now, replicas))
        stored = change.stored
        if isinstance(stored, FakePod) and stored.controller is not None:
            self._see_pod(change.verb, stored)

    def _see_pod(self, verb: str, pod: FakePod) -> None:
        before = self._known.get(pod.uid)
        self._known[pod.uid] = pod
        if verb == "ADDED":
            if pod.name in self._burnt:
                self.fouls.append(f"{pod.name} was removed by the operator and created again")
            return
        self._see_notice(pod)
        if before is not None and before.spec != pod.spec:
            self._see_renewal(before, pod)
        purpose = self._purposes.get(pod.uid)
        if purpose is not None and (pod.terminating or verb == "DELETED"):
            del self._purposes[pod.uid]
            if pod.uid in self._ended:
                return  # A second DELETE of it, which came to nothing.
            self._ended.add(pod.uid)
            self.removed.append((purpose, pod.name))
            if purpose is not Purpose.OVER:
                self._burnt.add(pod.name)
            if purpose is Purpose.REPAIR:
                self._repair(pod)

    def _see_renewal(self, before: FakePod, pod: FakePod) -> None:
        """Containers are given other images; by a repair, it is one like any other (rule 10)."""
        purpose = self._renewals.pop(pod.uid, None)
        if purpose is None:
            self.fouls.append(f"{pod.name} was given other images by nobody's word")
        if self._age(pod) > self._age(before):
            self.fouls.append(f"{pod.name} was given an older model's images over a newer one's")
        if purpose is Purpose.REPAIR:
            self._repair(before, in_place=pod.uid)
        elif purpose is Purpose.ROLLOUT:
            self._roll(before)

    def _roll(self, pod: FakePod) -> None:
        """A rollout renews one: within its batch and its floor, and none that is protected (22)."""
        now = self.server.clock.now()
        there = {p.uid: p for p in self.server.pods() if p.live}
        self._out = {
            uid: at
            for uid, at in self._out.items()
            if uid in there and self._is_out(there[uid], at, now)
        }
        self._out[pod.uid] = now
        self.rolled.append(pod.name)
        if pod.labels.get(LABEL_PROTECT_FROM_ACTIONS) == "true":
            self.fouls.append(f"{pod.name} was renewed by a rollout although protected")
        if len(self._out) > self._batch():
            names = sorted(there[uid].name for uid in self._out)
            self.fouls.append(f"{names} are renewed at once; the batch is {self._batch()}")

    def _is_out(self, pod: FakePod, since: datetime, now: datetime) -> bool:
        """Whether it has neither shown itself, nor had its grace, nor been superseded."""
        over = now >= (start_of(pod) or since) + SLOT_GRACE
        return not (_healthy(pod) or over or self._age(pod))

    def _batch(self) -> int:
        """The largest batch that any record of the last seconds could allow."""
        now = self.server.clock.now()
        recent = [n for at, n in self._desired if now - at <= SPEC_LAG]
        return max(1, max([*recent, self._desired[-1][1]]) * BATCH_PERCENT // 100)

    def _age(self, pod: FakePod) -> int:
        """How many models ago its images were wanted; those nobody has wanted are the oldest."""
        images = _images(pod.spec)
        ages = (n for n, wanted in enumerate(reversed(self._templates)) if wanted == images)
        return next(ages, len(self._templates))

    def _repair(self, pod: FakePod, in_place: str | None = None) -> None:
        now = self.server.clock.now()
        self._settle()
        (self.renewed if in_place else self.repaired).append(pod.name)
        self.debts[pod.name] = Debt(pod.name, now, in_place=in_place)
        self.most_in_flight = max(self.most_in_flight, len(self.debts))
        if pod.uid in self.notices:
            self._check_wait(pod)
        elif self._entry(pod).get("terminateAt"):
            self.fouls.append(f"{pod.name} was deleted without the notice that its repair owes")
        else:
            self._check_victim(pod)

    def _see_notice(self, pod: FakePod) -> None:
        """The victim is judged when it is told, and then stays out of rotation (rule 8)."""
        text = pod.annotations.get(ANNOTATION_TERMINATE_AT)
        if pod.uid not in self.notices and text and text == self._entry(pod).get("terminateAt"):
            self.notices[pod.uid] = datetime.fromisoformat(text)
            self._check_victim(pod)
        if pod.uid in self.notices and pod.live and pod.in_rotation:
            self.fouls.append(f"{pod.name} is in rotation although it was told to go")

    def _entry(self, pod: FakePod) -> dict[str, Any]:
        """The pod's repair in the ledger; empty where there is none."""
        assert pod.controller is not None
        key = ObjectKey("ScaleSet", pod.namespace, pod.controller.name)
        stored = self.server.objects().get(key)
        repairs = stored["status"].get("repairs", {}) if isinstance(stored, dict) else {}
        rows = (row for row in repairs.get("inFlight", ()) if row["uid"] == pod.uid)
        return next(rows, {})

    def _check_wait(self, pod: FakePod) -> None:
        due, now = self.notices[pod.uid], self.server.clock.now()
        if now < due and pod.annotations.get(ANNOTATION_APPROVE_TERMINATION) != "true":
            self.fouls.append(f"{pod.name} was deleted {due - now} before its deadline")

    def _check_victim(self, pod: FakePod) -> None:
        """The cap, the grace, protection and health, when the repair deletes or tells."""
        now = self.server.clock.now()
        self._settle()
        told = {p.name for p in self.server.pods() if p.live and p.uid in self.notices}
        if len(self.debts.keys() | told) > self.allowance():
            names = sorted(self.debts.keys() | told)
            self.fouls.append(f"{names} are under repair at once; allowed are {self.allowance()}")
        started = start_of(pod)
        asked = {ANNOTATION_REPAIR, ANNOTATION_OPERATION} & pod.annotations.keys()
        if not asked and (started is None or now < started + GRACE):
            self.fouls.append(f"{pod.name} was repaired inside its grace")
        for label in (LABEL_PROTECT_FROM_ACTIONS, LABEL_PROTECT_FROM_SCALE_IN):
            if pod.labels.get(label) == "true":
                self.fouls.append(f"{pod.name} was repaired although protected")
        healthy = pod.conditions.get(CONDITION_HEALTHY)
        if not asked and (healthy is None or healthy.status != "False"):
            self.fouls.append(f"{pod.name} was repaired while {healthy} stood on it")

    def _named_replacements(self) -> dict[str, str]:
        """Instance -> replacement, as the set says: a witness bears no mark of its own."""
        found: dict[str, str] = {}
        for key, stored in self.server.objects().items():
            if key.kind == "ScaleSet" and isinstance(stored, dict):
                repairs = stored["status"].get("repairs", {})
                for row in (*repairs.get("history", ()), *repairs.get("inFlight", ())):
                    found[row["instance"]] = row.get("replacement", "")
        return found

    def _settle(self) -> None:
        """A debt is made up for by a replacement that is Healthy or out of its grace (rule 28)."""
        now = self.server.clock.now()
        pods = self.server.pods()
        desired = self._desired[-1][1] if self._desired else 0
        named = self._named_replacements()
        for name, debt in list(self.debts.items()):
            heirs = [
                p
                for p in pods
                if p.live
                and (
                    p.uid == debt.in_place
                    or p.annotations.get(ANNOTATION_REPLACES) == name
                    or p.name == named.get(name)
                )
            ]
            made_up = any(_healthy(p) or _out_of_grace(p, debt, now) for p in heirs)
            never_came = not heirs and now >= debt.deleted + SLOT_GRACE
            enough = sum(p.live for p in pods if p.controller is not None) >= desired
            scaled_in = debt.scaled_in and enough
            if made_up or never_came or (scaled_in and not heirs):
                del self.debts[name]


def _healthy(pod: FakePod) -> bool:
    """Healthy, and since its containers were last renewed: their start stands on the pod again."""
    condition = pod.conditions.get(CONDITION_HEALTHY)
    well = condition is not None and condition.status == "True"
    return well and ANNOTATION_STATE_CHANGE_TIME in pod.annotations


def _out_of_grace(pod: FakePod, debt: Debt, now: datetime) -> bool:
    return now >= (start_of(pod) or debt.deleted) + SLOT_GRACE


def _images(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(plain(row["image"]) for row in spec.get("containers") or ())

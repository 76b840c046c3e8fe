"""What one state of the model is: the cluster, and the operators somewhere in their turns.

Everything is a frozen value and, where it is large, one object for all that are equal (`pool`). It
must not know what is decided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scaleset_operator.api.base import VMHealth
from tests.model.pool import same_by
from tests.support import builders
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from scaleset_operator.api.scaleset import ScaleSetSpec
    from scaleset_operator.api.scalesetstatus import ScaleSetStatus
    from scaleset_operator.core.observed import Evidence, Instance
    from scaleset_operator.core.plan import Action

GRACE: Final = timedelta(seconds=10)
BEGAN: Final = T0 - timedelta(seconds=120)
"""Since when all is as it was at first: older than anything that a rule still asks for."""
REPORT: Final = "example.com/Serving"
OLD_MODEL: Final = "m-1"
NEW_MODEL: Final = "m-2"
"""Of one shape: they differ in images only."""
IMAGES: Final = {OLD_MODEL: "instance:1", NEW_MODEL: "instance:2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the owner has settled once and for all.

    Attributes:
        probed: health comes from the probe of 5/11, and not from the instance's own report.
        share: maxInFlight in percent. The API takes 5 at most; with 50 a set of four behaves as
            one of forty does with 5.
        notice: seconds that a victim is told before it goes; None where it is not told.
        action: repairAction.
        suspend_after: suspendAfterFailedRepairs.
        tick: seconds that pass at once: longer than a record lives.
        crowded: the first three instances share a node, the others another.
    """

    probed: bool = False
    share: int = 5
    notice: int | None = None
    action: str = "Replace"
    suspend_after: int = 100
    tick: int = 6
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the owner asks for at the moment.

    Attributes:
        enabled: repairs are on.
        resume_at: second in the request to resume; None without one.
    """

    terms: Terms
    replicas: int
    model: str = OLD_MODEL
    enabled: bool = True
    resume_at: int | None = None

    def spec(self) -> ScaleSetSpec:
        """As the operator reads it."""
        return _spec(self.terms, self.replicas, self.enabled)


@lru_cache
def _spec(terms: Terms, replicas: int, enabled: bool) -> ScaleSetSpec:  # noqa: FBT001 - a cache's key
    fields: dict[str, Any] = {"upgradePolicy": {"mode": "Rolling"}}
    if not terms.probed:
        fields |= {"healthProbeRef": None, "applicationHealth": {"podConditionType": REPORT}}
    if terms.notice is not None:
        told = {"enable": True, "notBeforeTimeout": f"PT{terms.notice}S"}
        fields["terminateNotificationProfile"] = told
    policy = {"repairAction": terms.action, "suspendAfterFailedRepairs": terms.suspend_after}
    spec = builders.scale_set_spec(
        replicas=replicas, repairs=enabled, grace=GRACE, policy=policy, **fields
    )
    assert spec.automatic_repairs_policy is not None
    scaled = spec.automatic_repairs_policy.model_copy(update={"max_in_flight": f"{terms.share}%"})
    return spec.model_copy(update={"automatic_repairs_policy": scaled})


@dataclass(frozen=True, slots=True)
class SetView:
    """The ScaleSet as it stands, or as somebody has read it: one object for all equal ones."""

    wanted: Wanted
    status: ScaleSetStatus


@dataclass(frozen=True, slots=True)
class Sight:
    """What one operator's own prober knows; empty where instances report themselves.

    Attributes:
        since: second since which it beats.
        dark: "" while its attempts arrive; "set" while none reaches the set; "all" while none
            reaches anything.
        down: nodes that are NotReady.
        found: (UID, evidence) of those it watches.
    """

    since: int = -120
    dark: str = ""
    down: frozenset[str] = frozenset()
    found: tuple[tuple[str, Evidence], ...] = ()


class Operator(NamedTuple):
    """One process: what it remembers, and how far its turn has come.

    Attributes:
        awake: it is in a turn.
        pods, view: its caches. None and nothing while it sleeps, for it looks before it uses them.
        live_reads, listed: what it has read since its last record.
        recorded_at: second of this turn's record; None while there is none.
        decided_at: second of the decision that it is carrying out; None once that is final.
        hand: acts that are on their way.
        seen, unusable: names of the ledger that were there, and those not to be made again.
        refused: (instance, until which second its DELETE is not tried again).
    """

    sight: Sight
    awake: bool = False
    pods: tuple[Instance, ...] = ()
    view: SetView | None = None
    live_reads: frozenset[str] = frozenset()
    listed: bool = False
    recorded_at: int | None = None
    decided_at: int | None = None
    hand: tuple[Action, ...] = ()
    seen: frozenset[str] = frozenset()
    unusable: frozenset[str] = frozenset()
    refused: tuple[tuple[str, int], ...] = ()

    def but(self, **changes: Any) -> Operator:
        """The one operator that differs in these."""
        return pooled(self._replace(**changes))

    def resting(self) -> Operator:
        """Between two turns; its view is old when the next one begins."""
        return self.but(
            awake=False,
            live_reads=frozenset(),
            listed=False,
            recorded_at=None,
            decided_at=None,
            hand=(),
        )

    @property
    def known(self) -> SetView:
        """The ScaleSet as it has read it; only one that is awake has."""
        assert self.view is not None
        return self.view


def pooled(made: Operator) -> Operator:
    """The one operator that is equal to this one; its parts stand in the pool already."""
    key = (
        id(made.sight),
        made.awake,
        id(made.pods),
        id(made.view),
        made.live_reads,
        made.listed,
        made.recorded_at,
        made.decided_at,
        id(made.hand),
        made.seen,
        made.unusable,
        made.refused,
    )
    return same_by(key, made)


class State(NamedTuple):
    """The cluster, the operators, and what may still go wrong.

    Attributes:
        now: seconds since T0.
        made: names that have ever been created.
        debts: (victim, its replacement) of repairs whose act was accepted and that are not yet
            made up for: what the auditor counts (rule 28).
        ails: (UID, "wrong" or "silent") of instances that do not answer the probe as they should.
        late: instances whose next attempt has not ended when the others' have.
        down: nodes that are NotReady.
        enabled_at: second since which repairs are on.
        troubles: name of a trouble -> how often it may still come.
    """

    now: int
    pods: tuple[Instance, ...]
    view: SetView
    operators: tuple[Operator, ...]
    made: frozenset[str]
    debts: frozenset[tuple[str, str]] = frozenset()
    ails: frozenset[tuple[str, str]] = frozenset()
    late: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    enabled_at: int = -120
    troubles: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for states that are the same; which operator is which does not matter."""
        return (
            self.now,
            id(self.pods),
            id(self.view),
            tuple(sorted(map(id, self.operators))),
            self.made,
            self.debts,
            self.ails,
            self.late,
            self.down,
            self.enabled_at,
            self.troubles,
        )

    @property
    def terms(self) -> Terms:
        """What the owner has settled once and for all."""
        return self.view.wanted.terms

    def at(self) -> datetime:
        """The present moment."""
        return moment(self.now)

    def pod(self, name: str) -> Instance | None:
        """The pod of this name."""
        return next((p for p in self.pods if p.name == name), None)

    def left(self, trouble: str) -> int:
        """How often this trouble may still come."""
        return next((left for name, left in self.troubles if name == trouble), 0)

    def less(self, trouble: str, by: int = 1) -> State:
        """The same with one such trouble less to come."""
        rest = tuple((name, left - by * (name == trouble)) for name, left in self.troubles)
        return self._replace(troubles=tuple(row for row in rest if row[1]))

    def with_operator(self, number: int, operator: Operator) -> State:
        """The same with one operator further on."""
        before = self.operators
        return self._replace(operators=(*before[:number], operator, *before[number + 1 :]))

    def health(self, pod: Instance) -> VMHealth:
        """How an instance really is; Unknown while it says nothing."""
        if not self.terms.probed:
            return next((health for _, health, _ in pod.reports), VMHealth.UNKNOWN)
        word = next((word for uid, word in self.ails if uid == pod.uid), "")
        if word or pod.started is None:
            return VMHealth.UNKNOWN if word != "wrong" else VMHealth.UNHEALTHY
        return VMHealth.HEALTHY


def moment(second: int) -> datetime:
    """A second of the model as a time."""
    return T0 + timedelta(seconds=second)

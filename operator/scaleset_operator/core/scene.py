"""One decision's desk: spec, observation and verdicts side by side, with the sums made once.

A value without rules of its own, beyond the two figures that every rule shares: the allowance
(rule 1) and the grace of a slot (rule 9).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry, RepairPhase, RepairsStatus
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    MaintenancePhase,
    MaintenanceSummary,
)
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.repairpolicy import AutomaticRepairsPolicy
from scaleset_operator.api.rolloutstatus import Renewal, SurgeStep
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.allowance import batch_allowance, total
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import Verdict, judge
from scaleset_operator.core.observed import Instance, Observed
from scaleset_operator.core.renewal import after_renewal
from scaleset_operator.core.rotation import with_rotation
from scaleset_operator.core.stillness import after_pause, heard_of, holds_back

NO_POLICY: Final = AutomaticRepairsPolicy()
NO_MAINTENANCE: Final = MaintenanceSummary()


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What one decision looks at."""

    spec: ScaleSetSpec
    observed: Observed
    now: datetime
    verdicts: Mapping[str, Verdict]

    @classmethod
    def of(cls, spec: ScaleSetSpec, observed: Observed, now: datetime) -> "Scene":
        """Judge every instance and lay out the rest."""
        heard = heard_of(observed)
        verdicts = with_rotation(heard, judge(spec, heard, now), now)
        verdicts = after_renewal(heard, verdicts, now)
        verdicts = after_pause(observed, verdicts, now)
        return cls(spec=spec, observed=observed, now=now, verdicts=verdicts)

    def with_repairs(self, repairs: RepairsStatus) -> "Scene":
        """The same desk with suspension and enabling as now decided; entries stay as recorded."""
        before = self.observed.status.repairs
        decided = before.model_copy(
            update={
                "suspended_since": repairs.suspended_since,
                "suspended_cause": repairs.suspended_cause,
                "resumed_time": repairs.resumed_time,
            }
        )
        if decided == before:
            return self
        status = self.observed.status.model_copy(update={"repairs": decided})
        return replace(self, observed=replace(self.observed, status=status))

    @cached_property
    def live(self) -> tuple[Instance, ...]:
        """Owned pods that are neither Terminating nor over."""
        return tuple(i for i in self.observed.instances if i.live)

    @cached_property
    def by_name(self) -> Mapping[str, Instance]:
        """Every owned pod by name."""
        return {i.name: i for i in self.observed.instances}

    @cached_property
    def by_uid(self) -> Mapping[str, Instance]:
        """Every owned pod by UID."""
        return {i.uid: i for i in self.observed.instances}

    def since(self, recorded: datetime | None) -> datetime:
        """When that began: now, if it is not recorded, or by a clock that was ahead (X-10)."""
        return self.now if recorded is None else min(recorded, self.now)

    @property
    def policy(self) -> AutomaticRepairsPolicy:
        """The repair policy; one that is off where none is set (R-07)."""
        return self.spec.automatic_repairs_policy or NO_POLICY

    @property
    def health_source(self) -> str:
        """The source of health in force, by its rules; empty where there is none to use."""
        own, probe = self.spec.application_health, self.observed.probe
        if own is not None:
            return f"condition/{own.pod_condition_type}"
        return "" if probe is None or probe.fault is not None else f"probe/{probe.identity}"

    @cached_property
    def live_models(self) -> Counter[str]:
        """How many live instances each model has."""
        return Counter(i.model for i in self.live)

    @cached_property
    def healthy_once(self) -> Counter[str]:
        """How many live instances of each model were Healthy once under the source in force."""
        return Counter(i.model for i in self.live if self._was_healthy(i))

    def _was_healthy(self, instance: Instance) -> bool:
        """Healthy now by fresh evidence, or by a success since its containers ran.

        Evidence is dropped when the probe's rules change: each success was under the present ones.
        """
        verdict = self.verdicts[instance.uid]
        if verdict.fresh and verdict.health is VMHealth.HEALTHY:
            return True
        evidence = self.observed.evidence.get(instance.uid)
        success = None if evidence is None else evidence.last_success
        ran = instance.started if self.spec.application_health is None else None
        return success is not None and ran is not None and success >= ran

    @property
    def has_source(self) -> bool:
        """Whether a health source is named."""
        return self.spec.health_probe_ref is not None or self.spec.application_health is not None

    @property
    def probe_fault(self) -> tuple[Reason, str] | None:
        """Why a probe that the set names cannot be used, with the message; that of health first.

        Either stops repairs: without the probe of rotation no replacement would get traffic.
        """
        seen = self.observed
        probes = [seen.rotation_probe]
        if self.spec.application_health is None:
            probes.insert(0, seen.probe)
        faults = ((p.fault, p.fault_message) for p in probes if p is not None and p.fault)
        return next(faults, None)

    @cached_property
    def is_silent(self) -> bool:
        """Whether the set is silent as a whole to a probe that sees, of health or of rotation."""
        silent = Doubtfulness.SET_SILENT
        said = self.verdicts.values()
        return any(v.doubt is silent or (v.rotation and v.rotation.doubt is silent) for v in said)

    @cached_property
    def silence(self) -> tuple[Reason, str]:
        """Why the set is silent as a whole, as far as it is known (rule 18)."""
        shut = (v for v in self.verdicts.values() if v.reason is Reason.PROBE_BLOCKED)
        found = next(shut, None)
        if found is None:
            return Reason.PROBE_INCONCLUSIVE, "the whole set is silent"
        return found.reason, f"the whole set is silent: {found.message}"

    @property
    def entries(self) -> tuple[RepairEntry, ...]:
        """Repairs in flight, as recorded."""
        return self.observed.status.repairs.in_flight

    @cached_property
    def replacements(self) -> frozenset[str]:
        """Names that the repairs in flight have given out."""
        return frozenset(e.replacement for e in self.entries if e.replacement)

    @property
    def renewals(self) -> tuple[Renewal, ...]:
        """Instances that a rollout renews in place, as recorded."""
        return self.observed.status.renewals

    @property
    def surge_steps(self) -> tuple[SurgeStep, ...]:
        """Instances whose successor is made before they go, as recorded."""
        rollout = self.observed.status.rollout
        return rollout.surge if rollout is not None else ()

    @property
    def maintenance(self) -> MaintenanceSummary:
        """The set's maintenance, as recorded; empty where no window concerns it."""
        return self.observed.status.maintenance or NO_MAINTENANCE

    @property
    def moves(self) -> tuple[MaintenanceEntry, ...]:
        """Instances under maintenance, as recorded."""
        return self.maintenance.in_flight

    @cached_property
    def moving(self) -> frozenset[str]:
        """UIDs of the pods under maintenance: those that go, and those that came for them."""
        names = {e.instance for e in self.moves}
        return frozenset(i.uid for i in self.observed.instances if i.name in names)

    @cached_property
    def standing_still(self) -> frozenset[str]:
        """UIDs of those that a pause of ours keeps from serving, until they are heard again."""
        return frozenset(e.uid for e in self.moves if holds_back(e))

    def move_owes(self, entry: MaintenanceEntry) -> bool:
        """Whether the instance is away and still to come again, under its name."""
        away = entry.phase in (MaintenancePhase.MOVING, MaintenancePhase.RETURNING)
        pod = self.by_name.get(entry.instance)
        return away and entry.impact is not Impact.PAUSE and (pod is None or not pod.live)

    @cached_property
    def surplus(self) -> frozenset[str]:
        """Names of successors that are beside those they follow: no part of the wanted number."""
        steps = ((s, self.by_uid.get(s.uid)) for s in self.surge_steps)
        return frozenset(s.replacement for s, pod in steps if pod is not None and pod.live)

    @cached_property
    def slot_grace(self) -> timedelta:
        """How long a replacement may take for its slot (rule 9)."""
        probe = self.observed.probe
        least = probe.timeout + probe.interval if probe else timedelta(0)
        return max(self.policy.grace_period, least)

    def past_delete(self, entry: RepairEntry) -> bool:
        """Whether the victim is Terminating, over or gone, whoever sent it there (rule 6)."""
        victim = self.by_uid.get(entry.uid)
        return victim is None or not victim.live

    @cached_property
    def noticed(self) -> frozenset[str]:
        """UIDs of the live victims that were given notice: they go, whatever comes (rule 8)."""
        return frozenset(e.uid for e in self.entries if self._is_noticed(e))

    def _is_noticed(self, entry: RepairEntry) -> bool:
        victim = self.by_uid.get(entry.uid)
        if victim is None or not victim.live or entry.terminate_at is None:
            return False
        told = victim.terminate_at == entry.terminate_at
        return told or entry.phase is RepairPhase.NOTIFIED

    @cached_property
    def staying(self) -> tuple[Instance, ...]:
        """The live instances without those under notice: what is compared with the wanted."""
        return tuple(i for i in self.live if i.uid not in self.noticed)

    def has_made_way(self, entry: RepairEntry) -> bool:
        """Whether the victim counts as gone: past its DELETE, or told that it will be."""
        return entry.uid in self.noticed or self.past_delete(entry)

    def is_not_replaced(self, entry: RepairEntry) -> bool:
        """Whether a scale-in during the notice took the replacement away (rule 6)."""
        return entry.terminate_at is not None and entry.replacement is None

    def owes(self, entry: RepairEntry) -> bool:
        """Whether this repair's replacement is still to come (rule 6)."""
        successor = self.replacement(entry)
        owed = self.has_made_way(entry) and not self.is_not_replaced(entry)
        return owed and (successor is None or not successor.live)

    def replacement(self, entry: RepairEntry) -> Instance | None:
        """The pod that makes up for the victim, if it is there in any state."""
        return self.by_name.get(entry.replacement or "")

    @cached_property
    def allowance(self) -> int:
        """Repairs that may be in flight now (rule 1), paced to one in a storm."""
        if self.in_storm:
            return 1
        return batch_allowance(total(self), self.policy.max_in_flight_percent)

    @cached_property
    def watched_from(self) -> datetime | None:
        """From when this prober has watched a full timeout; None where there is none to watch."""
        probe, beating_since = self.observed.probe, self.observed.prober.beating_since
        return beating_since + probe.timeout if probe and beating_since else None

    @property
    def restarts_too_often(self) -> bool:
        """Whether the operator keeps starting anew before it can watch a full timeout (rule 21)."""
        watched = self.watched_from is not None and self.now >= self.watched_from
        return self.observed.prober.frequent_restarts and not watched

    @cached_property
    def in_storm(self) -> bool:
        """Whether more instances are Unhealthy than `maxUnhealthyPercent` lets pass unpaced."""
        limit = self.policy.max_unhealthy_percent
        return limit is not None and self.unhealthy * 100 > limit * max(1, self.spec.replicas)

    @cached_property
    def unhealthy(self) -> int:
        """How many live instances are Unhealthy."""
        return sum(v.health is VMHealth.UNHEALTHY for v in self.verdicts.values())

    def is_available(self, instance: Instance) -> bool:
        """Whether the floor may count on this live one: Healthy, or Ready without a source."""
        if instance.uid in self.noticed or instance.uid in self.standing_still:
            return False
        if not self.has_source:
            return instance.ready
        # Not before it stands on the pod: until then no Service sends anything to it.
        shown = instance.published is not None and instance.published.health is VMHealth.HEALTHY
        if self.observed.rotation_probe is not None and not instance.in_rotation:
            return False
        return shown and self.verdicts[instance.uid].health is VMHealth.HEALTHY

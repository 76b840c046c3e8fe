"""What was seen: the nouns a decision is made from, frozen.

Everything here is a value that an adapter fills in. Nothing here knows where it came from, and
nothing here chooses. All times are aware datetimes of one steady clock, the operator's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Condition, Reason, VMHealth
from scaleset_operator.api.scalesetstatus import OutboundSummary, ScaleSetStatus
from scaleset_operator.core.agentview import AgentView
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.evidence import Evidence, Neighbour, Outcome
from scaleset_operator.core.pause import Watch
from scaleset_operator.core.policies import Surroundings
from scaleset_operator.core.windowview import Place, WindowView

NOT_RENEWED: Final = "-"
"""In the annotation of a renewal, in place of a restart count: this container is left alone."""


__all__ = ["Evidence", "Neighbour", "Outcome"]  # Passed on, beside all that is defined here.


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The condition `scaleset.dev/Healthy` as it stands on the pod."""

    health: VMHealth
    reason: str
    since: datetime
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containers:
    """What a pod says of its containers, in the order of its spec; equal ones are shared.

    Attributes:
        images: as the spec spells them.
        image_ids: as the node reports them; empty before it does.
        restarts: how often each was restarted; below 0 before it was made.
        watches: the probes by which kubelet kills one that runs.
    """

    names: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    image_ids: tuple[str, ...] = ()
    restarts: tuple[int, ...] = ()
    watches: tuple[Watch, ...] = ()


NO_CONTAINERS: Final = Containers()
NOT_MADE: Final = -1
"""In place of a restart count: the container was never made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One pod of the set, as the cache or a live read gave it.

    Attributes:
        started: when all containers had first run after the last state change (R-24, R-28); None
            while they have not.
        started_is_recorded: whether the pod's own annotation says so already.
        over: the pod has Failed or Succeeded; it is no instance any more.
        terminating: the API server has accepted its deletion.
        ready: the pod's Ready condition.
        reports: the pod's own condition reports as (type, health, since): every condition that is
            neither kubelet's bookkeeping nor ours. Under `Ready` stands ContainersReady and every
            readiness gate but ours, since Ready itself waits for our gate (design.md section 3).
        published: the Healthy condition, None before the first.
        in_rotation: the gate's value, None before the first.
        attempt: which repair of its lineage made this pod; 0 for none or once it was healthy.
        containers: their images and restarts.
        renewing: its containers were told to restart in place, and the moment they all ran again
            does not stand on the pod yet; `started` is that moment, None until then.
        repair_request: what a person wrote under `scaleset.dev/repair`, empty for nothing.
        operation: the same under `scaleset.dev/operation`.
        terminate_at: the deadline that its terminate notice names, None without one that can be
            read; what counts is the ledger's.
        termination_approved: it, or somebody for it, agrees to be deleted before the deadline.
        mark: the iteration of a maintenance that it is in, as its annotation has it.
        maintenance: the JSON of its seven names, as its annotation has it.
        maintenance_asked: the window under which its owner asks for maintenance now.
        on_host: it is on its node's network, so that its address is the node's.
        pause_request: the id of the pause that is asked for on it; UNREADABLE for what names none.
        own_labels: its labels that are not the operator's, protection included.
    """

    name: str
    uid: str
    resource_version: str
    instance_id: int
    update_domain: int
    model: str
    created: datetime
    ip: str | None = None
    node: str | None = None
    started: datetime | None = None
    started_is_recorded: bool = False
    over: bool = False
    terminating: bool = False
    containers_ready: bool = False
    ready: bool = False
    reports: tuple[tuple[str, VMHealth, datetime], ...] = ()
    protected_from_scale_in: bool = False
    protected_from_actions: bool = False
    published: Published | None = None
    in_rotation: bool | None = None
    attempt: int = 0
    replaces: str | None = None
    containers: Containers = NO_CONTAINERS
    renewing: bool = False
    repair_request: str = ""
    operation: str = ""
    terminate_at: datetime | None = None
    termination_approved: bool = False
    mark: str = ""
    maintenance: str = ""
    maintenance_asked: str = ""
    pause_request: str = ""
    own_labels: tuple[tuple[str, str], ...] = ()
    on_host: bool = False

    @property
    def live(self) -> bool:
        """Owned, not over and not on its way out: what `status.replicas` counts."""
        return not (self.over or self.terminating)

    @property
    def protected(self) -> bool:
        """Whether either flag stands: both stop automatic repair (R-47)."""
        return self.protected_from_scale_in or self.protected_from_actions


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    """The probe in force, or why there is none.

    Attributes:
        identity: of its rules: another one where UID, generation or port differ (P-25).
        port: that is asked; 0 while there is none.
        fault: why the named probe cannot be used; stops repairs, never creates.
    """

    name: str
    identity: str = ""
    interval: timedelta = timedelta(seconds=15)
    timeout: timedelta = timedelta(seconds=31)
    port: int = 0
    fault: Reason | None = None
    fault_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProberView:
    """The prober's own state.

    Attributes:
        beating_since: start of its unbroken run of heartbeats; None while it is silent (2 s).
        sees: whether a reference target answers it (protocol rule 18).
        frequent_restarts: the operator began three times within ten minutes (rule 21).
    """

    beating_since: datetime | None = None
    sees: bool = True
    frequent_restarts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The other sets, as far as rule 18 needs them."""

    watched_sets: int = 0
    silent_sets: int = 0
    witnesses: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """What the API server said to a dry run of one pod of the latest model.

    Attributes:
        images: of its containers, as the template spells them: (container, image).
    """

    model: str
    images: tuple[tuple[str, str], ...] = ()
    checked: bool = True
    fault: Reason | None = None
    fault_message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything one decision for one ScaleSet is made from.

    Attributes:
        instances: pods owned by the set, Terminating and finished ones included.
        adoptable: pods of this set's name that no controller owns.
        foreign: names of pods that match the selector and are not ours to take.
        released: names of owned pods that the selector no longer matches.
        probe: of health; None where another source is named, or none.
        evidence: pod UID -> what that probe found.
        rotation_probe: the one that decides over rotation, where it is another (P-29).
        rotation_evidence: pod UID -> what that one found.
        votes: pod UID -> when a second vantage last had a success from it by the probe of health.
        surroundings: the NetworkPolicies around a silent set; None where they are not known.
        live_reads: names read live since the last record; a name whose pod was gone counts too.
        listed: whether the instances come from a live LIST since the last record.
        view_is_fresh: whether the cache has seen our own last write and is not cut off (X-07).
        recently_over: when short-lived pods of the set ended by themselves, newest last (at
            most 10).
        refused_until: instance name -> until when a refused DELETE holds its repair back.
        create_refused: why the API server refused the last create, and until when we wait.
        disruption: the budgets over the instances that may be repaired; None: not looked at.
        unusable: names that must not be created (again): taken by another pod, or created once
            and gone since.
        revisions: model -> number of its revision in the history, as far as it is known.
        template_labels: model -> keys of the labels that its template gives, for each model whose
            template is known.
        windows: the announced maintenances that concern the set, earliest first; those whose
            window is over stay while the set has an entry of theirs.
        windows_unheard: whether there may be windows that were not heard of yet since the start.
        places: placeholder name -> what a live read since the last record found; None: no such pod.
        outbound: of the OutboundRule that the set belongs to: in short, and its word on whether
            ports suffice.
        not_evicted: instance name -> why a budget refuses its eviction, and until when we wait.
        agents: node -> what was last read of its agent; those that were not asked are not there.
    """

    namespace: str
    name: str
    uid: str
    generation: int
    status: ScaleSetStatus
    template: TemplateView
    instances: tuple[Instance, ...] = ()
    adoptable: tuple[Instance, ...] = ()
    foreign: tuple[str, ...] = ()
    released: tuple[Instance, ...] = ()
    probe: ProbeView | None = None
    prober: ProberView = field(default_factory=ProberView)
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    surroundings: Surroundings | None = None
    votes: Mapping[str, datetime] = field(default_factory=dict)
    rotation_probe: ProbeView | None = None
    rotation_evidence: Mapping[str, Evidence] = field(default_factory=dict)
    neighbours: Mapping[str, tuple[Neighbour, ...]] = field(default_factory=dict)
    nodes: Mapping[str, bool] = field(default_factory=dict)
    fleet: Fleet = field(default_factory=Fleet)
    overlaps_with: str | None = None
    deleting: bool = False
    view_is_fresh: bool = True
    live_reads: frozenset[str] = frozenset()
    listed: bool = False
    recently_over: tuple[datetime, ...] = ()
    refused_until: Mapping[str, datetime] = field(default_factory=dict)
    create_refused: tuple[Reason, str, datetime] | None = None
    disruption: Disruption | None = None
    unusable: frozenset[str] = frozenset()
    annotations: Mapping[str, str] = field(default_factory=dict)
    revisions: Mapping[str, int] = field(default_factory=dict)
    template_labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    windows: tuple[WindowView, ...] = ()
    windows_unheard: bool = False
    places: Mapping[str, Place | None] = field(default_factory=dict)
    outbound: tuple[OutboundSummary, Condition] | None = None
    not_evicted: Mapping[str, tuple[str, datetime]] = field(default_factory=dict)
    agents: Mapping[str, AgentView] = field(default_factory=dict)

    def knows_template(self, model: str) -> bool:
        """Whether an instance of that model can be made."""
        return model == self.template.model or model in self.template_labels

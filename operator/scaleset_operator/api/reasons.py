"""Every reason code and what it means: the one list behind status, Events and docs/reasons.md.

Must not know: when a reason applies; that is decided in `core`.
"""

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why something was decided, waits or was refused (X-11); the set is finite and documented."""

    # Why an unhealthy instance is not being repaired, or how far its repair is.
    IN_GRACE_PERIOD = "InGracePeriod"
    BATCH_LIMIT_REACHED = "BatchLimitReached"
    INSTANCE_PROTECTED = "InstanceProtected"
    SUSPENDED_BY_USER = "SuspendedByUser"
    SUSPENDED_BY_PLATFORM = "SuspendedByPlatform"
    DISABLED = "Disabled"
    OBSERVE_MODE = "ObserveMode"
    MAINTENANCE_IN_PROGRESS = "MaintenanceInProgress"
    ROLLOUT_IN_PROGRESS = "RolloutInProgress"
    HEALTH_UNKNOWN = "HealthUnknown"
    PROBE_INCONCLUSIVE = "ProbeInconclusive"
    NEVER_STARTED = "NeverStarted"
    DISRUPTION_BUDGET = "DisruptionBudget"
    HEALTH_STORM = "HealthStorm"
    TOO_MANY_INSTANCES = "TooManyInstances"
    TERMINATION_DELAYED = "TerminationDelayed"
    REPLACEMENT_STARTING = "ReplacementStarting"
    WAITING_FOR_HEALTH = "WaitingForHealth"
    RESTARTING = "Restarting"
    REPAIR_STALLED = "RepairStalled"
    NO_PROBE = "NoProbe"
    PROBE_NOT_FOUND = "ProbeNotFound"
    PROBE_BLOCKED = "ProbeBlocked"
    AMBIGUOUS_PORT = "AmbiguousPort"
    SELECTOR_OVERLAP = "SelectorOverlap"
    INVALID_TEMPLATE = "InvalidTemplate"
    CREATE_FORBIDDEN = "CreateForbidden"
    NOT_ARMED = "NotArmed"
    STALE_VIEW = "StaleView"
    REPAIR_BACK_OFF = "RepairBackOff"
    NO_EQUIVALENT_IMAGE = "NoEquivalentImage"
    UNKNOWN_REQUEST = "UnknownRequest"
    UPDATE_WAITS = "UpdateWaits"

    # Why an instance is not taken for maintenance, or a request for it is refused.
    WINDOW_NOT_FOUND = "WindowNotFound"
    NOT_IN_SELF_SERVICE = "NotInSelfService"
    NOT_INCLUDED = "NotIncluded"
    ALREADY_ATTEMPTED = "AlreadyAttempted"
    WINDOW_SUSPENDED = "WindowSuspended"
    PARTNER_ACTIVE = "PartnerActive"
    FLOOR_REACHED = "FloorReached"
    UNDER_REPAIR = "UnderRepair"
    OTHER_MAINTENANCE = "OtherMaintenance"
    DOMAIN_IN_PROGRESS = "DomainInProgress"
    PAUSE_BETWEEN_DOMAINS = "PauseBetweenDomains"
    RETRY_LATER = "RetryLater"
    NODE_NOT_EMPTYING = "NodeNotEmptying"
    REVISION_NOT_FOUND = "RevisionNotFound"
    AGENT_SILENT = "AgentSilent"
    LIVENESS_PROBE_TOO_SHORT = "LivenessProbeTooShort"
    PAUSE_UNANSWERED = "PauseUnanswered"

    # How an entry of the ledger ended.
    MAINTENANCE_COMPLETED = "MaintenanceCompleted"
    NO_UPDATED_NODE = "NoUpdatedNode"
    EVICTION_REFUSED = "EvictionRefused"
    NOT_BACK = "NotBack"
    RECOVERED = "Recovered"
    SUPERSEDED = "Superseded"
    SCALED_IN = "ScaledIn"
    DELETE_REFUSED = "DeleteRefused"
    RESTART_REFUSED = "RestartRefused"
    RECORD_EXPIRED = "RecordExpired"
    GRACE_EXPIRED = "GraceExpired"

    # What the last attempts said about an instance.
    ANSWERING = "Answering"
    WRONG_STATUS = "WrongStatus"
    MALFORMED_ANSWER = "MalformedAnswer"
    CONNECTION_REFUSED = "ConnectionRefused"
    PROBE_TIMED_OUT = "ProbeTimedOut"
    UNREACHABLE = "Unreachable"
    NOT_YET_PROBED = "NotYetProbed"
    CONTAINERS_NOT_READY = "ContainersNotReady"
    NODE_NOT_READY = "NodeNotReady"
    REPORTED_HEALTHY = "ReportedHealthy"
    REPORTED_UNHEALTHY = "ReportedUnhealthy"
    TERMINATING = "Terminating"

    # Reasons of conditions on the set, on the probe and on the window.
    ALL_HEALTHY = "AllHealthy"
    INSTANCES_READY = "InstancesReady"
    INSTANCES_UNHEALTHY = "InstancesUnhealthy"
    NO_INSTANCES = "NoInstances"
    SCALING = "Scaling"
    ROLLING_OUT = "RollingOut"
    UP_TO_DATE = "UpToDate"
    OUT_OF_DATE = "OutOfDate"
    ROLLOUT_PAUSED = "RolloutPaused"
    ROLLOUT_STOPPED = "RolloutStopped"
    ROLLOUT_STARTED = "RolloutStarted"
    ROLLOUT_COMPLETED = "RolloutCompleted"
    VALID = "Valid"
    POLICY_ENABLED = "PolicyEnabled"
    BATCH_AVAILABLE = "BatchAvailable"
    IN_BATCH = "InBatch"
    IDLE = "Idle"
    FOREIGN_PODS = "ForeignPods"
    NOT_YET_SUPPORTED = "NotYetSupported"
    GRACE_TOO_SHORT = "GraceTooShort"
    HEALTH_SOURCE_MISSING = "HealthSourceMissing"
    FREQUENT_RESTARTS = "FrequentRestarts"
    PROBING = "Probing"
    NOT_IN_USE = "NotInUse"
    INTERVAL_TOO_LONG = "IntervalTooLong"
    INVALID_SCHEDULE = "InvalidSchedule"
    INVALID_PAIR = "InvalidPair"
    ANNOUNCED = "Announced"
    NOT_ANNOUNCED = "NotAnnounced"
    NOTICE_TOO_SHORT = "NoticeTooShort"
    NOTHING_AHEAD = "NothingAhead"
    WINDOW_OPEN = "WindowOpen"
    WINDOW_CLOSED = "WindowClosed"
    WINDOW_MISSED = "WindowMissed"
    MAINTENANCE_STOPPED = "MaintenanceStopped"
    NOTHING_TO_DO = "NothingToDo"
    CARRIED_OVER = "CarriedOver"
    NODE_GIVEN_UP = "NodeGivenUp"

    # Reasons of Events.
    REPAIR_STARTED = "RepairStarted"
    REPAIR_SUCCEEDED = "RepairSucceeded"
    REPAIR_FAILED = "RepairFailed"
    REPAIR_CANCELLED = "RepairCancelled"
    REPAIRS_SUSPENDED = "RepairsSuspended"
    REPAIRS_RESUMED = "RepairsResumed"
    REPAIRS_ENABLED = "RepairsEnabled"
    REPAIRS_DISABLED = "RepairsDisabled"
    RESUME_IGNORED = "ResumeIgnored"
    REQUEST_REFUSED = "RequestRefused"
    TERMINATE_NOTICE = "TerminateNotice"
    EVENT_APPROVED = "EventApproved"
    WITNESS_CREATED = "WitnessCreated"
    WITNESS_SILENT = "WitnessSilent"
    SELF_SERVICE_OPENED = "SelfServiceOpened"
    SCHEDULED_OPENED = "ScheduledOpened"
    MAINTENANCE_STARTED = "MaintenanceStarted"
    MAINTENANCE_FAILED = "MaintenanceFailed"
    MAINTENANCE_ENDED = "MaintenanceEnded"
    NOTIFICATION_FAILED = "NotificationFailed"
    NODE_CORDONED = "NodeCordoned"
    NODE_UPDATED = "NodeUpdated"


REASON_TEXT: Final[dict[Reason, str]] = {
    Reason.IN_GRACE_PERIOD: "The grace since the instance's last state change has not ended.",
    Reason.BATCH_LIMIT_REACHED: "As many instances are under repair as the cap allows.",
    Reason.INSTANCE_PROTECTED: "A protection label on the instance keeps automatic repair away.",
    Reason.SUSPENDED_BY_USER: "A person suspended the repairs of this set.",
    Reason.SUSPENDED_BY_PLATFORM: "Repairs kept failing; only a person resumes them.",
    Reason.DISABLED: "Automatic repairs are not enabled for this set.",
    Reason.OBSERVE_MODE: "The mode is Observe: the repair was decided and recorded, not done.",
    Reason.MAINTENANCE_IN_PROGRESS: "Maintenance has the instance, or the shared floor, in use.",
    Reason.ROLLOUT_IN_PROGRESS: "The instance is in the current batch of a rollout.",
    Reason.HEALTH_UNKNOWN: "The operator has not yet watched the instance for a full timeout.",
    Reason.PROBE_INCONCLUSIVE: "Silence alone, and it is not known yet whether the prober sees.",
    Reason.NEVER_STARTED: "The containers have never run, so a probe's result says nothing.",
    Reason.DISRUPTION_BUDGET: "A PodDisruptionBudget does not allow the disruption now.",
    Reason.HEALTH_STORM: "More instances are unhealthy than maxUnhealthyPercent; one at a time.",
    Reason.TOO_MANY_INSTANCES: "Limits Standard repairs sets of at most 200 instances.",
    Reason.TERMINATION_DELAYED: "A terminate notice was given; deletion waits for it.",
    Reason.REPLACEMENT_STARTING: "The replacement exists; its containers do not all run yet.",
    Reason.WAITING_FOR_HEALTH: "The replacement, or what was renewed, runs and is not Healthy yet.",
    Reason.RESTARTING: "The instance's containers are being renewed in place and do not all run.",
    Reason.REPAIR_STALLED: "The repair is closed, but the old pod is still Terminating.",
    Reason.NO_PROBE: "The set names no source of health.",
    Reason.PROBE_NOT_FOUND: "The HealthProbe that the set names does not exist.",
    Reason.PROBE_BLOCKED: "A NetworkPolicy selects the instances and does not admit the prober.",
    Reason.AMBIGUOUS_PORT: "The probe names no port, and the template has none or several.",
    Reason.SELECTOR_OVERLAP: "An older set's selector and this one's claim the same pods.",
    Reason.INVALID_TEMPLATE: "The API server refuses a pod made from the template.",
    Reason.CREATE_FORBIDDEN: "The API server forbids creating pods: quota, policy or permission.",
    Reason.NOT_ARMED: "Too few of the model's instances were ever healthy under this probe.",
    Reason.STALE_VIEW: "The operator's view is too old to act on.",
    Reason.REPAIR_BACK_OFF: "A repair of this instance was refused; the next try waits.",
    Reason.NO_EQUIVALENT_IMAGE: "No second spelling of an image is known to restart it in place.",
    Reason.UNKNOWN_REQUEST: "An annotation on the pod asks for something that there is not.",
    Reason.UPDATE_WAITS: "A requested update waits for room in the batch and above the floor.",
    Reason.RECOVERED: "The instance turned Healthy before it was touched.",
    Reason.SUPERSEDED: "A newer model, or a change by somebody else, made the repair moot.",
    Reason.SCALED_IN: "The set no longer wants the instance.",
    Reason.DELETE_REFUSED: "The API server refused to delete the instance, or to give it notice.",
    Reason.RESTART_REFUSED: "The API server refused to change the instance's images.",
    Reason.RECORD_EXPIRED: "The act came too long after its record and was dropped.",
    Reason.GRACE_EXPIRED: "What was replaced or renewed did not turn Healthy within its grace.",
    Reason.ANSWERING: "The last attempt succeeded.",
    Reason.WRONG_STATUS: "The endpoint answers with a status other than 200.",
    Reason.MALFORMED_ANSWER: "The endpoint answers with something that is not HTTP.",
    Reason.CONNECTION_REFUSED: "Nothing listens: the connection was refused or reset.",
    Reason.PROBE_TIMED_OUT: "No answer came in time.",
    Reason.UNREACHABLE: "There is no route to the instance.",
    Reason.NOT_YET_PROBED: "No attempt on this instance has ended yet.",
    Reason.CONTAINERS_NOT_READY: "The kubelet reports containers of the pod as not ready.",
    Reason.NODE_NOT_READY: "The instance's node is NotReady while most others are Ready.",
    Reason.REPORTED_HEALTHY: "The instance's own report, a pod condition, says healthy.",
    Reason.REPORTED_UNHEALTHY: "The instance's own report, a pod condition, says unhealthy.",
    Reason.TERMINATING: "The pod is being deleted and takes no new traffic.",
    Reason.ALL_HEALTHY: "Every instance is healthy.",
    Reason.INSTANCES_READY: "Enough instances are Ready; no health source is named.",
    Reason.INSTANCES_UNHEALTHY: "At least one instance is unhealthy.",
    Reason.NO_INSTANCES: "There are no instances to speak about.",
    Reason.SCALING: "Instances are being created or removed to reach spec.replicas.",
    Reason.ROLLING_OUT: "Instances are being brought to the latest model.",
    Reason.UP_TO_DATE: "Every instance has the latest model.",
    Reason.OUT_OF_DATE: "Some instances have an older model and nothing changes them by itself.",
    Reason.ROLLOUT_PAUSED: "A batch is healthy; the next waits for pauseTimeBetweenBatches.",
    Reason.ROLLOUT_STOPPED: "A limit of the upgrade policy lets no further instance be taken.",
    Reason.ROLLOUT_STARTED: "Instances of older models begin to be brought to the latest one.",
    Reason.ROLLOUT_COMPLETED: "Every instance has the latest model, and none is waited for.",
    Reason.VALID: "The object was understood and is acted on.",
    Reason.POLICY_ENABLED: "The automatic repairs policy is enabled and nothing suspends it.",
    Reason.BATCH_AVAILABLE: "A repair could start now.",
    Reason.IN_BATCH: "Repairs are in flight.",
    Reason.IDLE: "No repair is in flight.",
    Reason.FOREIGN_PODS: "Pods match the selector that are not this set's; they are left alone.",
    Reason.GRACE_TOO_SHORT: "More than one instance in twenty needed longer than gracePeriod.",
    Reason.NOT_YET_SUPPORTED: "This version of the operator knows the request but cannot meet it.",
    Reason.HEALTH_SOURCE_MISSING: "The source of health is gone; repairs stop, verdicts stand.",
    Reason.FREQUENT_RESTARTS: "The operator restarts so often that it cannot watch a full timeout.",
    Reason.PROBING: "The probe is used and its instances are probed.",
    Reason.NOT_IN_USE: "No set uses the probe, so no request is sent.",
    Reason.INTERVAL_TOO_LONG: "Two attempts do not fit into the timeout; a good instance may flap.",
    Reason.INVALID_SCHEDULE: "The window's times cannot be used; the message has what is allowed.",
    Reason.INVALID_PAIR: "The window and the one that it names are no pair; the message says why.",
    Reason.REPAIR_STARTED: "A repair was recorded and begins.",
    Reason.REPAIR_SUCCEEDED: "The replacement, or the renewed instance, is Healthy.",
    Reason.REPAIR_FAILED: "The repair ended without a healthy instance.",
    Reason.REPAIR_CANCELLED: "The repair was given up before the instance was touched.",
    Reason.REPAIRS_SUSPENDED: "Repairs of the set were suspended; the message says by whom.",
    Reason.REPAIRS_RESUMED: "Repairs of the set went from Suspended to Running.",
    Reason.REPAIRS_ENABLED: "Repairs of the set went from NotRunning to Running.",
    Reason.REPAIRS_DISABLED: "Repairs of the set were disabled, or their policy was taken away.",
    Reason.RESUME_IGNORED: "A request to resume is not newer than what it is to resume.",
    Reason.REQUEST_REFUSED: "A request by annotation was refused; the message says why.",
    Reason.TERMINATE_NOTICE: "An instance was told when it is deleted; its replacement comes now.",
    Reason.EVENT_APPROVED: "An instance approved, from inside, that a coming event begins now.",
    Reason.WITNESS_CREATED: "An extra instance shows whether a silent set is dead or unseen.",
    Reason.WITNESS_SILENT: "The witness of a silent set did not answer either, and goes.",
    Reason.WINDOW_NOT_FOUND: "No MaintenanceWindow of that name selects the set.",
    Reason.NOT_IN_SELF_SERVICE: "The self-service window is not open.",
    Reason.NOT_INCLUDED: "The instance is not included in this iteration.",
    Reason.ALREADY_ATTEMPTED: "The instance's one attempt of this iteration was made.",
    Reason.WINDOW_SUSPENDED: "The window is suspended: nothing new starts.",
    Reason.PARTNER_ACTIVE: "The other window of the pair has its turn.",
    Reason.FLOOR_REACHED: "One more instance away would break the availability floor.",
    Reason.UNDER_REPAIR: "The instance is under repair, or replaces one that is.",
    Reason.OTHER_MAINTENANCE: "Another iteration has the instance, or the set's turn.",
    Reason.DOMAIN_IN_PROGRESS: "Another update domain is under maintenance; one goes at a time.",
    Reason.PAUSE_BETWEEN_DOMAINS: "A domain is back; the next waits for pauseBetween to pass.",
    Reason.RETRY_LATER: "The instance could not be taken just now; it is tried again.",
    Reason.NODE_NOT_EMPTYING: "The window works node by node, and this one is not its turn yet.",
    Reason.REVISION_NOT_FOUND: "No revision keeps the instance's model, so it cannot come again.",
    Reason.AGENT_SILENT: "No agent has reported lately from the node of an instance to be paused.",
    Reason.LIVENESS_PROBE_TOO_SHORT: "The kubelet may kill the instance during its pause (M-03).",
    Reason.PAUSE_UNANSWERED: "A node's agent did not say in time what became of a pause.",
    Reason.MAINTENANCE_COMPLETED: "The instance is updated, and healthy.",
    Reason.NO_UPDATED_NODE: "The scheduler finds no updated node with room for the instance.",
    Reason.EVICTION_REFUSED: "The API server refused to evict the instance.",
    Reason.NOT_BACK: "The instance was moved and did not turn healthy within its grace.",
    Reason.ANNOUNCED: "The maintenance is announced; its times do not move any more.",
    Reason.NOT_ANNOUNCED: "Nothing is announced yet; the message says when that comes.",
    Reason.NOTICE_TOO_SHORT: (
        "Less notice is left than notifyBefore asks for, so it does not take place."
    ),
    Reason.NOTHING_AHEAD: "The window does not open again.",
    Reason.WINDOW_OPEN: "The window that the condition speaks of is open.",
    Reason.WINDOW_CLOSED: "The window that the condition speaks of is not open.",
    Reason.WINDOW_MISSED: "A window passed without work, for no operator could do it.",
    Reason.MAINTENANCE_STOPPED: (
        "An instance did not come back, or a node's Job failed: this iteration takes no more."
    ),
    Reason.NOTHING_TO_DO: "Every included instance is done, or there is none.",
    Reason.CARRIED_OVER: (
        "The window closed before all were done; the rest comes with a later iteration."
    ),
    Reason.NODE_GIVEN_UP: "A node could not be emptied or its Job failed; it was uncordoned.",
    Reason.SELF_SERVICE_OPENED: "Owners may start the maintenance of their instances now.",
    Reason.SCHEDULED_OPENED: "The scheduled window is open: what is left is done now.",
    Reason.MAINTENANCE_STARTED: "The first instance of an iteration is under maintenance.",
    Reason.MAINTENANCE_FAILED: "The maintenance of an instance ended without it being updated.",
    Reason.MAINTENANCE_ENDED: "An iteration is over; the message has its result.",
    Reason.NOTIFICATION_FAILED: "An audience could not be told of a maintenance.",
    Reason.NODE_CORDONED: "A node takes no new pods while it is worked on.",
    Reason.NODE_UPDATED: "A node was worked on, labelled as updated and uncordoned.",
}
"""One sentence for each code, for people."""

"""What maintenance does to pods, as values: parts of the union `Action` of a plan.

Must not know: when any of it is due.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlace:
    """Make the pod that holds a place for an instance on an updated node (M-26).

    Of the same size and constraints, without the set's labels, so that no Service, budget or set
    counts it; the scheduler's own answer is what is asked for.

    Attributes:
        name: of the placeholder, as recorded.
        instance: for which it holds the place.
        model: of that instance, whose size and constraints it has.
        node_labels: of the updated nodes.
    """

    name: str
    instance: str
    model: str
    node_labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlace:
    """Delete a placeholder, at once; one that is gone is success.

    Attributes:
        uid: None deletes whatever placeholder of ours has the name.
    """

    name: str
    uid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvictInstance:
    """Ask the API server to evict this very pod, so that PodDisruptionBudgets hold.

    UID and resourceVersion go with the call (protocol rule 5).

    Attributes:
        not_after: past it the act is dropped, however fresh the turn's own record is.
    """

    name: str
    uid: str
    resource_version: str
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishMaintenance:
    """Write what maintenance means for this very pod onto it, in one patch.

    Attributes:
        mark: the annotation scaleset.dev/maintenance-iteration; None takes it away.
        status: the JSON of scaleset.dev/maintenance-redeploy-status; None takes it away.
        answered: whether the request scaleset.dev/perform-maintenance is taken away as well.
        resource_version: as read, where somebody else's newer word must not be overwritten.
        state_change_time: where the operation was a state change that has just ended (V-31).
    """

    name: str
    uid: str
    mark: str | None
    status: str | None
    answered: bool = False
    resource_version: str | None = None
    state_change_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPause:
    """Ask the agent of this very pod's node to pause it: one annotation on the pod (M-02).

    UID and resourceVersion go with the call (protocol rule 5).

    Attributes:
        id: of the request; whoever asks anew for the same pause asks under the same id.
        deadline: by when it must have begun.
        seconds: for how long it is to stand still, from when it does.
        not_after: past it the act is dropped, however fresh the turn's own record is.
    """

    name: str
    uid: str
    resource_version: str
    id: str
    deadline: datetime
    seconds: int
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearPause:
    """Take the request off this very pod; a pause that has not ended ends by it."""

    name: str
    uid: str
    resource_version: str
    not_after: datetime | None = None

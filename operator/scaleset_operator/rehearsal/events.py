"""What a scenario may do to the cluster in memory, as values, and to whom.

Must not know: how a scenario is written down, or what follows from an event.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from scaleset_operator.rehearsal.endpoints import Answer
from scaleset_operator.rehearsal.probes import Blindness


@dataclass(frozen=True, slots=True, kw_only=True)
class Whom:
    """Instances, by name or drawn by lot; with nothing given, all.

    Attributes:
        percent: of the wanted number, rounded up.
    """

    percent: int | None = None
    count: int | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fail:
    """Instances answer wrongly until their containers are restarted; None: they end."""

    whom: Whom
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Recover:
    """Instances answer as they should."""

    whom: Whom


@dataclass(frozen=True, slots=True)
class Newborn:
    """How instances made from now on behave; one of another image may behave otherwise.

    Attributes:
        answer: from their start on; None: their containers never run.
    """

    answer: Answer | None


@dataclass(frozen=True, slots=True)
class StartAfter:
    """How long instances made from now on take until their containers run."""

    span: timedelta


@dataclass(frozen=True, slots=True)
class Image:
    """The template names another image, whose instances answer so; None: it cannot be pulled."""

    image: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Scale:
    """Another number of instances is wanted."""

    replicas: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A field of the ScaleSet's spec is set; the path is in the words of the manifest."""

    path: tuple[str, ...]
    value: Any


class Service(StrEnum):
    """What a person does to repairs."""

    SUSPEND = "suspend"
    RESUME = "resume"


@dataclass(frozen=True, slots=True)
class Blind:
    """The prober reaches so little from now on."""

    blindness: Blindness


class Prober(StrEnum):
    """What happens to the prober's process."""

    STOP = "stop"
    START = "start"
    RESTART = "restart"


@dataclass(frozen=True, slots=True)
class Node:
    """A node is lost, or comes back."""

    name: str
    lost: bool


@dataclass(frozen=True, slots=True)
class Delete:
    """A person deletes instances."""

    whom: Whom


@dataclass(frozen=True, slots=True)
class Protect:
    """A person protects instances from the set's actions, or no longer."""

    whom: Whom
    protected: bool


Happening = (
    Fail
    | Recover
    | Newborn
    | StartAfter
    | Image
    | Scale
    | Edit
    | Service
    | Blind
    | Prober
    | Node
    | Delete
    | Protect
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a scenario.

    Attributes:
        after: since the rehearsal's begin.
        text: as it was written.
    """

    after: timedelta
    what: Happening
    text: str


class NobodyMeantError(ValueError):
    """The event means instances, nodes or fields that are not there.

    Attributes:
        at: when that was found.
    """

    def __init__(self, message: str, at: datetime) -> None:
        super().__init__(message)
        self.at = at

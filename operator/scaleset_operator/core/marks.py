"""What stands on an instance of its maintenance: the iteration that it is in, and its seven names.

The truth on each instance is on its pod, so that it outlives every operator and costs no list.
Must not know: who is included, or when.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from pydantic import ValidationError

from scaleset_operator.api.base import format_time
from scaleset_operator.api.maintenancestatus import OperationResultCode, RedeployStatus
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.windowview import WindowView

UID_SHOWN: Final = 8
_PARTS: Final = 4
NOTHING_SAID: Final = RedeployStatus()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One iteration of one window, as the annotation scaleset.dev/maintenance-iteration has it.

    Attributes:
        uid: the first characters of the window's UID: another window of that name is another.
        end: of the scheduled window.
    """

    window: str
    iteration: int
    uid: str
    end: datetime

    def __str__(self) -> str:
        """As it is written."""
        return f"{self.window}/{self.iteration}/{self.uid}/{format_time(self.end)}"

    @classmethod
    def parse(cls, text: str) -> "Mark | None":
        """Read it; None where somebody has written something else there."""
        parts = text.split("/")
        if len(parts) != _PARTS or not parts[1].isdecimal():
            return None
        try:
            end = datetime.fromisoformat(parts[3])
        except ValueError:
            return None
        if end.tzinfo is None:
            return None
        return cls(window=parts[0], iteration=int(parts[1]), uid=parts[2], end=end.astimezone(UTC))


def mark_of(view: WindowView) -> Mark:
    """The mark that the instances of an announced maintenance bear."""
    return Mark(
        window=view.name,
        iteration=view.announced.iteration,
        uid=view.uid[:UID_SHOWN],
        end=view.announced.end_time,
    )


def is_of(mark: str, window: str, uid: str) -> bool:
    """Whether a mark is one of this very window: one made anew under its name counts anew."""
    read = Mark.parse(mark)
    return read is not None and (read.window, read.uid) == (window, uid[:UID_SHOWN])


class Standing(Enum):
    """How far an instance is in the iteration that it is in."""

    PENDING = "Pending"
    COMPLETED = "Completed"
    ABORTED = "Aborted"


def said_of(instance: Instance) -> RedeployStatus:
    """What its annotation says; nothing where that cannot be read."""
    if not instance.maintenance:
        return NOTHING_SAID
    try:
        return RedeployStatus.model_validate_json(instance.maintenance)
    except ValidationError:
        return NOTHING_SAID


def standing_of(instance: Instance) -> Standing:
    """How far it is, by the result of its last operation (V-14)."""
    code = said_of(instance).last_operation_result_code
    if code is OperationResultCode.MAINTENANCE_COMPLETED:
        return Standing.COMPLETED
    if code is OperationResultCode.MAINTENANCE_ABORTED:
        return Standing.ABORTED
    return Standing.PENDING


def written(said: RedeployStatus) -> str:
    """The annotation's text: the seven names, those without a value left out (V-15)."""
    return said.model_dump_json(by_alias=True, exclude_none=True)


def ahead(view: WindowView, *, allowed: bool, before: RedeployStatus) -> RedeployStatus:
    """What an instance shows while maintenance is ahead of it: four times, and the flag (V-10).

    Args:
        view: the announced maintenance.
        allowed: whether its owner may start it now.
        before: what it shows; a result that keeps it in stays (V-14).
    """
    times = view.announced
    return RedeployStatus(
        is_customer_initiated_maintenance_allowed=allowed,
        pre_maintenance_window_start_time=times.pre_start_time,
        pre_maintenance_window_end_time=times.pre_end_time,
        maintenance_window_start_time=times.start_time,
        maintenance_window_end_time=times.end_time,
        last_operation_result_code=before.last_operation_result_code,
        last_operation_message=before.last_operation_message,
    )


def result(code: OperationResultCode, message: str) -> RedeployStatus:
    """What it shows once nothing is ahead of it: how the last operation ended, no times (V-15)."""
    return RedeployStatus(last_operation_result_code=code, last_operation_message=message)

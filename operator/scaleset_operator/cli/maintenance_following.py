"""Instances that were asked for, followed until the result of each is known.

Must not know: how they were asked for.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from scaleset_operator.api.maintenanceledger import MaintenancePhase
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.api.scalesetstatus import RequestState
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.included import Included, Member
from scaleset_operator.cli.maintenance_wishes import Chosen

AGAIN_S: Final = 2.0
GONE_AFTER: Final = 3
"""Looks at which an instance is neither there nor under maintenance, before it counts as gone."""
ENDS: Final = frozenset(
    {OperationResultCode.MAINTENANCE_ABORTED, OperationResultCode.MAINTENANCE_COMPLETED}
)
PHASES: Final[Mapping[MaintenancePhase, str]] = {
    MaintenancePhase.RECORDED: "a place on an updated node is sought",
    MaintenancePhase.PLACED: "a place is held; it leaves rotation and is evicted",
    MaintenancePhase.MOVING: "the old pod is on its way out",
    MaintenancePhase.LEAVING: "it leaves rotation before its pause",
    MaintenancePhase.PAUSED: "the agent of its node is asked to pause it",
    MaintenancePhase.RETURNING: "it is on the updated node, and not healthy yet",
    MaintenancePhase.ENDING: "the result is known",
}
REFUSED: Final = "Refused"
GONE: Final = "Gone"
WITHDRAWN: Final = "Withdrawn"
WAITING: Final = "Waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """How far an instance is.

    Attributes:
        state: a phase, Waiting, a result code, Refused, Withdrawn or Gone.
        over: whether nothing more comes.
    """

    name: str
    state: str
    message: str = ""
    over: bool = False

    @property
    def is_completed(self) -> bool:
        """Whether it runs on an updated node, and is healthy."""
        return self.state == OperationResultCode.MAINTENANCE_COMPLETED

    def line(self) -> str:
        """The same on one line."""
        words = f": {self.message}" if self.message else ""
        line = " ".join(f"pod/{self.name} maintenance: {self.state}{words}".split())
        return "".join(sign if sign.isprintable() else "?" for sign in line)

    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {"state": self.state, "message": self.message, "over": self.over}


def followed(member: Member | None, name: str, window: str) -> Followed:
    """How far an instance is that was asked for."""
    if member is None:
        return Followed(name=name, state=GONE, message="there is no such instance any more")
    said = member.said
    code, words = said.last_operation_result_code, said.last_operation_message or ""
    if code in ENDS and member.mark is not None and member.mark.window == window:
        return Followed(name=name, state=str(code), message=words, over=True)
    if member.entry is not None:
        phase = member.entry.phase
        return Followed(name=name, state=str(phase), message=PHASES[phase])
    request = member.request
    if member.asked:
        waits = request is not None and request.state is RequestState.WAITING
        why = f"{request.reason}: {request.message}" if request is not None and waits else ""
        return Followed(name=name, state=WAITING, message=why)
    if request is not None:
        no = f"{request.reason}: {request.message}"
        return Followed(name=name, state=REFUSED, message=no, over=True)
    if code is OperationResultCode.RETRY_LATER:
        return Followed(name=name, state=str(code), message=words, over=True)
    gone = "the request is not on the pod any more"
    return Followed(name=name, state=WITHDRAWN, message=gone, over=True)


async def follow(
    call: Call, look: Callable[[], Awaitable[Included]], chosen: Chosen
) -> Sequence[Followed]:
    """Follow instances until nothing more comes of any.

    Args:
        call: of the command.
        look: gives the set as it is.
        chosen: those that were asked for.
    """
    watch = _Watch(call, chosen)
    while True:
        watch.look_at(await look())
        if all(one.over for one in watch.told.values()):
            return list(watch.told.values())
        await call.entrance.sleep(AGAIN_S)


class _Watch:
    """Tells each change of each instance once."""

    def __init__(self, call: Call, chosen: Chosen) -> None:
        self._call, self._chosen = call, chosen
        self._missed = dict.fromkeys(chosen.names, 0)
        self.told: dict[str, Followed] = {}

    def look_at(self, found: Included) -> None:
        """Take in how far each one is."""
        for name in self._chosen.names:
            before = self.told.get(name)
            if before is not None and before.over:
                continue
            now = self._settled(followed(found.member(name), name, self._chosen.window), before)
            if now != before and not self._call.wants_data:
                sys.stdout.write(f"{now.line()}\n")
                sys.stdout.flush()
            self.told[name] = now

    def _settled(self, now: Followed, before: Followed | None) -> Followed:
        """One that is not seen may be between two looks; several times, it is gone."""
        if now.state != GONE:
            self._missed[now.name] = 0
            return now
        self._missed[now.name] += 1
        if self._missed[now.name] < GONE_AFTER:
            return before or now
        return replace(now, over=True)

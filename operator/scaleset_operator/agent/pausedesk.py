"""Pauses that are asked for on pods: begun once each, ended in time, answered by their id (M-02).

An answer is written down before anything is frozen: an agent that dies in between neither freezes
twice nor forgets what it began. One that kubelet may end by killing is refused here too (M-03): the
pod may have been changed since the operator asked. Must not know how something is frozen.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from scaleset_operator.agent import wholefile
from scaleset_operator.agent.cgroups import CgroupError
from scaleset_operator.agent.members import Member
from scaleset_operator.api.agentreport import PauseReport, PauseState
from scaleset_operator.api.base import Reason
from scaleset_operator.api.pauserequest import PauseRequest
from scaleset_operator.core.pause import objection

FILE: Final = "answers.json"
UNREADABLE: Final = "unreadable"
"""The id in the answer to a request that has none which could be read."""
_log = logging.getLogger(__name__)


class Freezing(Protocol):
    """What freezes and thaws; see `Freezer`."""

    def freeze(self, name: str, group: Path, seconds: float) -> str | None:
        """Freezes; says why not."""

    def thaw(self, name: str) -> bool:
        """Ends a pause early."""

    def sweep(self) -> list[str]:
        """Thaws what is overdue."""

    def paused(self) -> list[str]:
        """Whose pauses are on record."""


class PauseDesk:
    """The pauses of the pods of one node; one caller at a time."""

    def __init__(
        self,
        freezer: Freezing,
        folder: Path,
        group_of: Callable[[str], Path | None],
        now: Callable[[], datetime],
    ) -> None:
        """Takes up what was answered before.

        Args:
            freezer: freezes and thaws.
            folder: where answers are kept, on the node.
            group_of: the control group of the pod with this UID.
            now: the node's clock.
        """
        self._freezer = freezer
        self._file = folder / FILE
        self._group_of = group_of
        self._now = now
        self._answers = self._read()
        self._told = dict(self._answers)

    def answers(self) -> dict[str, PauseReport]:
        """By the pod's UID; that it is paused is not said before it stands still.

        May be asked on any thread.
        """
        return self._told

    def sweep(self) -> None:
        """Thaws what is overdue, whatever is known of pods; to be called every second."""
        try:
            self._freezer.sweep()
        except (CgroupError, OSError) as error:
            _log.error("A pause could not be ended yet, it is tried again: %s", error)

    def look(self, members: Iterable[Member]) -> None:
        """Begins what is asked for, and ends what is asked for no more.

        Args:
            members: all pods of the node; of one that is not among them, the pause is ended.
        """
        paused, before = set(self._freezer.paused()), dict(self._answers)
        by_uid = {member.uid: member for member in members}
        for uid in sorted(paused - {uid for uid, one in by_uid.items() if _wants(one)}):
            self._thaw(uid)
        self._answers = {
            uid: answer
            for uid, answer in self._answers.items()
            if uid in by_uid and by_uid[uid].asked is not None
        }
        for uid, member in sorted(by_uid.items()):
            if member.asked is not None:
                self._see_to(member, member.asked, uid in paused)
                self._told = dict(self._answers)
        self._told = dict(self._answers)
        if self._answers != before:
            self._write()

    def thaw_all(self) -> None:
        """Ends every pause now."""
        for uid in self._freezer.paused():
            self._thaw(uid)

    def _see_to(self, member: Member, asked: PauseRequest | str, paused: bool) -> None:  # noqa: FBT001 - a fact, not a mode
        answer = self._answers.get(member.uid)
        if isinstance(asked, str):
            refused = PauseReport(id=UNREADABLE, state=PauseState.REFUSED, message=asked)
            self._answers[member.uid] = refused
        elif answer is None or answer.id != asked.id:
            self._answers[member.uid] = self._begun(member, asked, paused)
        elif answer.state is PauseState.PAUSED and not paused:
            self._answers[member.uid] = _ended(answer, self._now())

    def _begun(self, member: Member, asked: PauseRequest, paused: bool) -> PauseReport:  # noqa: FBT001 - as above
        """Carries out a request that has no answer yet; gives the answer."""
        now = self._now()
        refused = self._objection(member, asked, now, paused)
        group = None if refused else self._group_of(member.uid)
        if refused is None and group is None:
            refused = f"no control group of {member.key} was found on the node"
        if refused is not None or group is None:
            return PauseReport(id=asked.id, state=PauseState.REFUSED, message=refused or "")
        until = now + timedelta(seconds=asked.seconds)
        answer = PauseReport(id=asked.id, state=PauseState.PAUSED, until=until)
        self._answers[member.uid] = answer
        if not self._write():
            why = "the answer could not be written down on the node"
            return PauseReport(id=asked.id, state=PauseState.REFUSED, message=why)
        why_not = self._freezer.freeze(member.uid, group, asked.seconds)
        if why_not is not None:
            return PauseReport(id=asked.id, state=PauseState.REFUSED, message=why_not)
        _log.info("%s stands still for %d s, as %s asks", member.key, asked.seconds, asked.id)
        return answer

    def _objection(
        self,
        member: Member,
        asked: PauseRequest,
        now: datetime,
        paused: bool,  # noqa: FBT001 - as above
    ) -> str | None:
        if not member.instance:
            return f"{member.key} is no instance of a ScaleSet"
        if member.leaving:
            return f"{member.key} is being deleted"
        if paused:
            return f"{member.key} is paused already, by another request"
        if now > asked.deadline:
            return f"it is later than {asked.deadline:%Y-%m-%dT%H:%M:%SZ} by the node's clock"
        killed = objection(member.watches, timedelta(seconds=asked.seconds))
        return None if killed is None else f"{Reason.LIVENESS_PROBE_TOO_SHORT}: {killed}"

    def _thaw(self, uid: str) -> None:
        try:
            self._freezer.thaw(uid)
        except CgroupError as error:
            _log.error("The pause of pod %s is not ended yet; its guard goes on: %s", uid, error)

    def _read(self) -> dict[str, PauseReport]:
        try:
            told: Mapping[str, object] = json.loads(self._file.read_text(encoding="utf-8"))
            return {uid: PauseReport.model_validate(one) for uid, one in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            _log.warning("%s cannot be used: %s", self._file, error)
            return {}

    def _write(self) -> bool:
        body = {uid: one.model_dump(mode="json") for uid, one in self._answers.items()}
        try:
            wholefile.replace(self._file, body)
        except OSError as error:
            _log.error("Answers to pauses cannot be kept: %s", error)
            return False
        return True


def _wants(member: Member) -> bool:
    """Whether a pause of it may go on: what is to end cannot while it stands still."""
    return member.asked is not None and not member.leaving


def _ended(answer: PauseReport, now: datetime) -> PauseReport:
    """The answer once nothing stands still any more."""
    if answer.until is not None and now < answer.until - timedelta(seconds=1):
        message = "it was thawed before its time"
        return answer.model_copy(update={"state": PauseState.FAILED, "message": message})
    return answer.model_copy(update={"state": PauseState.THAWED})

"""A recording of what the loop had and what it did, line by line, for whoever asks afterwards.

Inputs are written when they are other than before, acts when it is known how they ended. A line is
JSON; `is` says of what kind. What one observation found bears one time. Must not know: where lines
go, or who replays them.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from scaleset_operator.api.base import Resource
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Evidence, Instance, ProberView
from scaleset_operator.core.policies import Policy, ProberPlace
from scaleset_operator.core.revisions import Revision
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.reconciler.ports import Clock, Key
from scaleset_operator.reconciler.relocations import Reported
from scaleset_operator.reconciler.versions import key_of

FORMAT: Final = 1
"""Of the lines; a reader refuses what it does not know."""
INSTANCE: Final = TypeAdapter(Instance)
EVIDENCE: Final = TypeAdapter(Evidence)
VIEW: Final = TypeAdapter(ProberView)
ACT: Final = TypeAdapter(Act)
HELD: Final = TypeAdapter(Place | None)
BUDGETS: Final = TypeAdapter(Disruption)
POLICIES: Final = TypeAdapter(tuple[Policy, ...] | None)
PLACE: Final = TypeAdapter(ProberPlace)
REPORTED: Final = TypeAdapter(Reported | None)
REVISIONS: Final = TypeAdapter(tuple[Revision, ...])

Write = Callable[[str], object]
Turn = Callable[[Key], Awaitable[datetime | None]]

_turn_began: ContextVar[datetime] = ContextVar("turn_began")
"""When the turn that is being taken here saw something first; turns of several sets interleave."""


class Recorder:
    """Writes the lines of one operator's run."""

    def __init__(self, clock: Clock, write: Write, operator: str) -> None:
        """Writes the first line.

        Args:
            clock: dates the lines.
            write: takes each line, with its end.
            operator: which version is recorded.
        """
        self._clock = clock
        self._write = write
        self._moment = clock.now()
        self._known: dict[tuple[str, ...], object] = {}
        self._names: dict[str, str] = {}
        self._turning: set[Key] = set()
        self.line("begin", format=FORMAT, operator=operator)

    def line(self, kind: str, *, at: datetime | None = None, **fields: Any) -> None:
        """Write one line."""
        when = (at or self._clock.now()).isoformat()
        said = {"is": kind, "at": when, **fields}
        self._write(json.dumps(said, ensure_ascii=False, default=dict) + "\n")

    def heard(self, kind: str, body: Mapping[str, Any], *, gone: bool) -> None:
        """A resource as the watch brought it; our own status comes back and is no news."""
        meta = body["metadata"]
        said = ("uid", "generation", "annotations", "labels", "deletionTimestamp")
        now = None if gone else [meta.get(name) for name in said]
        first = ("heard", kind, *key_of(body)) not in self._known
        if self._is_new(("heard", kind, *key_of(body)), now):
            slim = {k: v for k, v in meta.items() if k != "managedFields"}
            parts = ("apiVersion", "spec", *(("status",) if first else ()))
            kept = {part: body[part] for part in parts if part in body}
            self.line("resource", of=kind, gone=gone, body={**kept, "metadata": slim})

    def begin_observation(self, turn_of: Key | None = None) -> None:
        """What is seen from here on bears this time; those of a turn say when that was."""
        self._moment = self._clock.now()
        if turn_of is None:
            return
        first = turn_of in self._turning
        if first:
            self._turning.discard(turn_of)
            _turn_began.set(self._moment)
        self.line("turn" if first else "look", at=self._moment, set=list(turn_of))

    async def turn(self, key: Key, turn: Turn) -> datetime | None:
        """Take a turn; when turns are taken is an input too, for it says what had become known."""
        self._turning.add(key)
        return await turn(key)

    def saw_pods(self, key: Key, instances: Collection[Instance]) -> None:
        """A set's pods."""
        self._names.update((i.uid, i.name) for i in instances)
        changed = [i for i in instances if self._is_new(("pod", *key, i.name), i)]
        there = {i.name for i in instances}
        known = [place[3] for place in self._known if place[:3] == ("pod", *key)]
        gone = [name for name in known if name not in there]
        for name in gone:
            del self._known["pod", *key, name]
        if changed or gone:
            rows = [INSTANCE.dump_python(i, mode="json") for i in changed]
            self.line("pods", at=self._moment, set=list(key), there=rows, gone=gone)

    def saw(
        self,
        kind: str,
        place: Collection[str],
        value: object,
        data: Any,
        at: datetime | None = None,
    ) -> None:
        """Anything else: written when it is another than before."""
        if self._is_new((kind, *place), value):
            self.line(kind, at=at or self._moment, of=list(place), value=data)

    def was_told(self, kind: str, place: Collection[str], value: object, data: Any) -> None:
        """What a turn asked for in between and decided on at once: known to it as it began."""
        self.saw(kind, place, value, data, _turn_began.get(self._moment))

    def saw_windows(self, windows: Mapping[Key, Resource]) -> None:
        """The windows as they are known: our own writes and live reads are news of them too."""
        for key, window in windows.items():
            if self._is_new(("window", *key), window.metadata.resource_version):
                body = window.model_dump(mode="json", by_alias=True, exclude_none=True)
                self.line("window", at=self._moment, of=list(key), value=body)
        known = {Key(*place[1:]) for place in self._known if place[0] == "window"}
        for key in sorted(known - windows.keys()):
            del self._known["window", *key]
            self.line("window", at=self._moment, of=list(key), value=None)

    def saw_vote(self, pod_uid: str, at: datetime | None) -> None:
        """When another prober heard a pod, under the instance's name; never is not written."""
        name = self._names.get(pod_uid)
        if name is not None and (at is not None or ("vote", name) in self._known):
            self.saw("vote", (name,), at, at and at.isoformat())

    def saw_evidence(self, watch: str, evidence: Evidence | None) -> None:
        """What a watch found, under the instance's name."""
        uid, slash, second = watch.partition("/")
        name = self._names.get(uid)
        if name is not None and evidence is not None:
            data = EVIDENCE.dump_python(evidence, mode="json", exclude_none=True)
            self.saw("evidence", (name + slash + second,), evidence, data)

    def _is_new(self, place: tuple[str, ...], value: object) -> bool:
        if place in self._known and self._known[place] == value:
            return False
        self._known[place] = value
        return True

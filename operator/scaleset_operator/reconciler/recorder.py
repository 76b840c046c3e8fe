"""A recording of what the loop had and what it did, line by line, for whoever asks afterwards.

Stands between the loop and its ports and changes nothing: inputs are written when they are other
than before, acts when it is known how they ended. A line is JSON; `is` says of what kind. What one
observation found bears one time. Must not know: where lines go, or who replays them.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import TypeAdapter

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Evidence, Instance, Neighbour, ProberView
from scaleset_operator.reconciler.acts import Act, NotedCluster
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Key,
    Owner,
    Pods,
    Probes,
    ProbeTarget,
    Refused,
    for_rotation,
)
from scaleset_operator.reconciler.resources import Resources, key_of

FORMAT: Final = 1
"""Of the lines; a reader refuses what it does not know."""
INSTANCE: Final = TypeAdapter(Instance)
EVIDENCE: Final = TypeAdapter(Evidence)
VIEW: Final = TypeAdapter(ProberView)
ACT: Final = TypeAdapter(Act)
BUDGETS: Final = TypeAdapter(Disruption)

Write = Callable[[str], object]
Turn = Callable[[Key], Awaitable[datetime | None]]


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
        """What is seen from here on bears this time; the first of a turn says when that was."""
        self._moment = self._clock.now()
        if turn_of is not None and turn_of in self._turning:
            self._turning.discard(turn_of)
            self.line("turn", at=self._moment, set=list(turn_of))

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

    def saw(self, kind: str, place: Collection[str], value: object, data: Any) -> None:
        """Anything else: written when it is another than before."""
        if self._is_new((kind, *place), value):
            self.line(kind, at=self._moment, of=list(place), value=data)

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


class RecordingCluster(NotedCluster):
    """The port `Cluster`, writing what it gives and what it is told to do."""

    def __init__(
        self, cluster: Cluster, clock: Clock, resources: Resources, recorder: Recorder
    ) -> None:
        def status_of(key: Key) -> ScaleSetStatus:
            known = resources.scale_set(key)
            return ScaleSetStatus() if known is None else known.resource.status

        super().__init__(cluster, clock, status_of, self._write_act)
        self._recorder = recorder

    def _write_act(self, act: Act) -> None:
        self._recorder.line("act", at=act.at, act=ACT.dump_python(act, mode="json"))

    def pods(self, owner: Owner) -> Pods:
        """See the port; an observation begins with it."""
        found = super().pods(owner)
        self._recorder.begin_observation(owner.key)
        self._recorder.saw_pods(owner.key, found.instances)
        self._recorder.saw("fresh", owner.key, found.fresh, found.fresh)
        return found

    def node_ready(self) -> Mapping[str, bool]:
        """See the port."""
        found = super().node_ready()
        self._recorder.saw("nodes", (), dict(found), dict(found))
        return found

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """See the port."""
        found = super().disruption(owner, names)
        if names:
            data = BUDGETS.dump_python(found, mode="json")
            self._recorder.saw("budgets", owner.key, found, data)
        return found

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        try:
            await super().dry_run(owner)
        except Refused as fault:
            said = [fault.reason.value, fault.message]
            self._recorder.begin_observation()
            self._recorder.saw("template", owner.key, said, said)
            raise
        self._recorder.begin_observation()
        self._recorder.saw("template", owner.key, [], [])


class RecordingProbes:
    """The port `Probes`, writing what it gives."""

    def __init__(self, probes: Probes, recorder: Recorder) -> None:
        self._probes = probes
        self._recorder = recorder

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """See the port."""
        self._probes.watch(owner, targets)

    def evidence(self, watch: str) -> Evidence | None:
        """See the port."""
        found = self._probes.evidence(watch)
        self._recorder.saw_evidence(watch, found)
        return found

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """See the port; it is made of evidence, which is what is written."""
        for watch in (pod_uid, for_rotation(pod_uid)):
            self._recorder.saw_evidence(watch, self._probes.evidence(watch))
        return self._probes.neighbour(pod_uid)

    def view(self) -> ProberView:
        """See the port."""
        found = self._probes.view()
        self._recorder.saw("prober", (), found, VIEW.dump_python(found, mode="json"))
        return found

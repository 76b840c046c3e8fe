"""A recording replayed: its inputs fed to the same loop, turn by turn, over a cluster in memory.

Pods live as they were seen to; what the operator itself does to them it does anew, and their
recorded ends wait for that. Names are decided, so an instance made again lives the recorded life of
its name. Must not know: what the recorded operator decided, beyond which ends were its own doing.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from scaleset_operator.api.base import (
    ANNOTATION_RENEWED_FROM,
    ANNOTATION_STATE_CHANGE_TIME,
    Reason,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.acts import Act, ActKind
from scaleset_operator.reconciler.noting import NotedRelocations
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.recorder import (
    BUDGETS,
    EVIDENCE,
    INSTANCE,
    PLACE,
    POLICIES,
    REPORTED,
    REVISIONS,
    VIEW,
)
from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.comparison import Difference, first_difference
from scaleset_operator.rehearsal.errors import ServerError
from scaleset_operator.rehearsal.loop import Loop
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.recorded import (
    RecordedClock,
    RecordedCluster,
    RecordedOutlook,
    RecordedProbes,
    Seen,
)
from scaleset_operator.rehearsal.recorded_moves import RecordedRelocations
from scaleset_operator.rehearsal.recording import Input, Recording
from scaleset_operator.rehearsal.restoring import as_seen, pod_of


class Replay:
    """One recording, replayed.

    Attributes:
        acts: what the operator of this version did.
    """

    def __init__(self, recording: Recording) -> None:
        self.acts: list[Act] = []
        self._turns: Counter[Key] = Counter()
        self._recording = recording
        self.clock = VirtualClock(recording.begin)
        self.server = FakeApiServer(self.clock)
        self._seen = Seen()
        self._lives: dict[tuple[str, str], Instance] = {}
        self._ended: set[tuple[str, str]] = set()
        done = [act for act in recording.acts if not act.failed]
        self._made = _first_made(done)
        self._deleted = _names(done, ActKind.DELETE) | _names(done, ActKind.EVICT)
        client = RecordedCluster(self.server)
        client.seen, client.refusals = self._seen, _refusals(recording.acts)
        self._time = client.time = RecordedClock(self.clock)
        probes = RecordedProbes(self.server, self._seen)
        self.loop = Loop(client, probes, lambda: None, self._note)
        self.loop.hear_windows = lambda: None  # They are told as they were known.
        loop, outlook = self.loop.reconciler, RecordedOutlook(self.server, self._seen)
        loop.clock = self._time
        moves = RecordedRelocations(client, self.loop.resources, recording, self._turns)
        loop.relocations = NotedRelocations(moves, self.loop.noted)
        loop.vantage = loop.policies = loop.leadership = outlook
        self.server.subscribe(self._see)

    async def run(self) -> None:
        """Feed the inputs, each at its time, and take a turn whenever one was taken."""
        for at, inputs in groupby(self._recording.inputs, key=lambda one: one.at):
            together = list(inputs)
            self.clock.at(at, lambda rows=together: self._take(rows))  # type: ignore[misc]
        for turn in self._recording.turns:
            self.clock.advance_to(max(turn.at, self.clock.now()))
            self._time.begin(turn.looks)
            self._turns[turn.key] += 1
            await self.loop.take(turn.key)
        self.acts.sort(key=lambda act: act.number)

    def _note(self, act: Act) -> None:
        self.acts.append(replace(act, turn=self._turns[act.key]))

    def difference(self) -> Difference | None:
        """Where the acts first differ from the recorded ones; None where they are the same."""
        late = max((turn.at for turn in self._recording.turns), default=None)
        return first_difference(self._recording.acts, self.acts, late)

    # The inputs.

    def _take(self, inputs: Collection[Input]) -> None:
        for one in inputs:
            self._take_one(one.kind, one.fields)

    def _take_one(self, kind: str, said: Mapping[str, Any]) -> None:
        """What this version does not know is left out; the acts show whether it mattered."""
        takes: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "resource": self._resource,
            "pods": self._pods,
            "nodes": self._nodes,
            "evidence": self._evidence,
            "prober": self._prober,
            "fresh": self._fresh,
            "budgets": self._budgets,
            "template": self._template,
            "revisions": self._revisions,
            "vote": self._vote,
            "policies": self._policies,
            "agent": self._agent,
            "place": self._place,
            "leads": self._leads,
            "window": self._window,
            "labels": self._labels,
            "heard": self._heard,
        }
        take = takes.get(kind)
        if take is not None:
            take(said)

    def _nodes(self, said: Mapping[str, Any]) -> None:
        for name, ready in said["value"].items():
            self.server.set_node(name, ready=ready)

    def _evidence(self, said: Mapping[str, Any]) -> None:
        self._seen.evidence[said["of"][0]] = EVIDENCE.validate_python(said["value"])

    def _prober(self, said: Mapping[str, Any]) -> None:
        self._seen.prober = VIEW.validate_python(said["value"])

    def _fresh(self, said: Mapping[str, Any]) -> None:
        self._seen.fresh[Key(*said["of"])] = said["value"]

    def _budgets(self, said: Mapping[str, Any]) -> None:
        self._seen.budgets[Key(*said["of"])] = BUDGETS.validate_python(said["value"])

    def _template(self, said: Mapping[str, Any]) -> None:
        key = Key(*said["of"])
        self._seen.refused.pop(key, None)
        if said["value"]:
            self._seen.refused[key] = (Reason(said["value"][0]), said["value"][1])

    def _revisions(self, said: Mapping[str, Any]) -> None:
        key = Key(*said["of"])
        owner_uid = self.server.resource("ScaleSet", *key)["metadata"]["uid"]
        self.loop.history.keep(key, owner_uid, REVISIONS.validate_python(said["value"]))

    def _vote(self, said: Mapping[str, Any]) -> None:
        name, at = said["of"][0], said["value"]
        self._seen.votes.pop(name, None)
        if at is not None:
            self._seen.votes[name] = datetime.fromisoformat(at)

    def _policies(self, said: Mapping[str, Any]) -> None:
        self._seen.policies[said["of"][0]] = POLICIES.validate_python(said["value"])

    def _agent(self, said: Mapping[str, Any]) -> None:
        self._seen.reports[said["of"][0]] = REPORTED.validate_python(said["value"])

    def _place(self, said: Mapping[str, Any]) -> None:
        self._seen.place = PLACE.validate_python(said["value"])

    def _leads(self, said: Mapping[str, Any]) -> None:
        self._seen.leads = said["value"]

    def _window(self, said: Mapping[str, Any]) -> None:
        if said["value"] is None:
            self.loop.resources.drop_window(Key(*said["of"]))
        else:
            self.loop.resources.put_window(said["value"])

    def _labels(self, said: Mapping[str, Any]) -> None:
        self._seen.labels = said["value"]

    def _heard(self, said: Mapping[str, Any]) -> None:
        self.loop.resources.windows_heard = said["value"]

    def _resource(self, said: Mapping[str, Any]) -> None:
        kind, meta = said["of"], said["body"]["metadata"]
        if said["gone"]:
            self.server.delete_resource(kind, meta["namespace"], meta["name"])
        else:
            self.server.restore(kind, said["body"])

    def _pods(self, said: Mapping[str, Any]) -> None:
        key = Key(*said["set"])
        for row in said["there"]:
            seen = INSTANCE.validate_python(row)
            place = (key.namespace, seen.name)
            self._lives[place] = seen
            self._ended.discard(place)
            pod = self._pod(place)
            made = self._made.get(place)
            if pod is not None:
                self._live_on(pod, seen)
            elif made is None or seen.created < made.replace(microsecond=0):
                self.server.restore_pod(pod_of(seen, self.server.resource("ScaleSet", *key)))
        for name in said["gone"]:
            place = (key.namespace, name)
            self._ended.add(place)
            pod = self._pod(place)
            if pod is not None and (pod.terminating or place not in self._deleted):
                self.server.remove_pod(pod)

    def _live_on(self, pod: FakePod, seen: Instance) -> None:
        """What kubelet, the scheduler and people did; what the operator does it does itself.

        A renewal that was seen waits until the operator has made it here too.
        """
        if seen.renewing and not _is_renewing(pod):
            return
        self.server.change_pod(pod, **as_seen(pod, seen))
        if seen.terminating and not pod.terminating and pod.key[1:] not in self._deleted:
            self.server.delete_pod(pod.namespace, pod.name)

    def _pod(self, place: tuple[str, str]) -> FakePod | None:
        try:
            return self.server.pod(*place)
        except ServerError:
            return None

    def _see(self, change: Change) -> None:
        """The operator's own act on a pod whose recorded life is further on already."""
        pod = change.stored
        if not isinstance(pod, FakePod):
            return
        if change.verb == "ADDED" or pod.terminating or _is_renewing(pod):
            self.clock.after(timedelta(), lambda: self._catch_up((pod.namespace, pod.name)))

    def _catch_up(self, place: tuple[str, str]) -> None:
        pod, seen = self._pod(place), self._lives.get(place)
        if pod is None or seen is None:
            return
        if pod.terminating and place in self._ended:
            self.server.remove_pod(pod)
        elif pod.live and not seen.terminating:
            self._live_on(pod, seen)


def _is_renewing(pod: FakePod) -> bool:
    """Whether it was told to renew its containers, and their start does not stand on it yet."""
    marks = pod.annotations
    return ANNOTATION_RENEWED_FROM in marks and ANNOTATION_STATE_CHANGE_TIME not in marks


def _first_made(acts: Collection[Act]) -> dict[tuple[str, str], datetime]:
    """When each name was first made here; a pod of it that is older had been there before."""
    found: dict[tuple[str, str], datetime] = {}
    for act in acts:
        if act.kind is ActKind.CREATE:
            found.setdefault((act.key.namespace, act.instance), act.at)
    return found


def _names(acts: Collection[Act], kind: ActKind) -> set[tuple[str, str]]:
    return {(act.key.namespace, act.instance) for act in acts if act.kind is kind}


def _refusals(acts: Collection[Act]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for act in acts:
        if act.kind is ActKind.CREATE and act.failed in ("Conflict", "Refused"):
            found.setdefault(act.instance, []).append(act.failed)
    return found

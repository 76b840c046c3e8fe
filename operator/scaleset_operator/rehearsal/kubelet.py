"""The rest of a cluster, scripted: scheduler, kubelets and garbage collector over virtual time.

Each pod gets a node, an address, running containers and its end as its script says. Everything is
done by timers, one thing after another, so a test sees each step at its own moment.
It must not know the operator; only what a pod's script says.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.objects import FakePod, PodCondition, Run, whole_second
from scaleset_operator.rehearsal.scheduler import node_for

Seconds = float


@dataclass(frozen=True, slots=True, kw_only=True)
class PodScript:
    """What becomes of a pod; all in seconds, None for never.

    Attributes:
        schedule: from its creation to a node.
        start: from there until all containers run.
        dies: from there until it has Failed by itself.
        renew: from a change of its images until the containers run again, of the new ones.
        terminate: from the accepted deletion until it is gone; None is stuck Terminating.
    """

    schedule: Seconds | None = 0.1
    start: Seconds | None = 1.0
    dies: Seconds | None = None
    renew: Seconds | None = 1.0
    terminate: Seconds | None = 1.0


GOOD = PodScript()
ScriptFor = Callable[[FakePod], PodScript]


class FakeKubelet:
    """All nodes' kubelets, with the scheduler and the garbage collector.

    Attributes:
        script_for: asked once for each pod, at its creation.
        reuse_addresses: give the address freed last to the next pod, at once.
        missing: images that cannot be pulled: a container that is to run one never does.
    """

    def __init__(
        self, server: FakeApiServer, script_for: ScriptFor = lambda _: GOOD, *, nodes: int = 3
    ) -> None:
        self.server = server
        self.clock = server.clock
        self.script_for = script_for
        self.reuse_addresses = False
        self.missing: set[str] = set()
        self._scripts: dict[str, PodScript] = {}
        self._free: list[str] = []
        self._numbers = count(1)
        self._held: dict[str, str] = {}
        self._lost: set[str] = set()
        self._watchers: list[Callable[[], None]] = []
        self._told: dict[str, object] = {}
        self._renewing: set[str] = set()
        self._killed: dict[str, set[str]] = {}
        server.subscribe(self._see)
        for number in range(1, nodes + 1):
            server.set_node(f"node-{number}", ready=True)

    def holder(self, address: str) -> str | None:
        """UID of the pod that has this address now and runs or ran; None if nobody has it."""
        return self._held.get(address)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` whenever what answers at some address may just have changed."""
        self._watchers.append(watcher)

    def is_lost(self, node: str | None) -> bool:
        """Whether nothing on the node answers or reports, noticed or not."""
        return node in self._lost

    def die(self, pod: FakePod) -> None:
        """The pod Fails now: evicted, or its container ended for good."""
        self._fail(pod.uid)

    def restart_containers(self, pod: FakePod, *, down_for: Seconds | None = 1.0) -> None:
        """Kubelet restarts the containers in place: not ready for a while, grace unrenewed."""
        self._write(pod.uid, containers_ready=False)
        if down_for is not None:
            self._after(down_for, lambda: self._run_again(pod.uid, all_of_them=True))

    def report(self, pod: FakePod, condition: str, status: str) -> None:
        """The instance's own report: a pod condition of its own type."""
        current = self.server.find(pod.uid)
        assert current is not None, f"{pod.name} is gone and reports nothing"
        row = PodCondition(status, "Reported", "", whole_second(self.clock.now()))
        self._write(pod.uid, conditions={**current.conditions, condition: row})

    def stick(self, pod: FakePod) -> None:
        """Once deleted, the pod will stay Terminating until it is released."""
        self._scripts[pod.uid] = replace(self._scripts[pod.uid], terminate=None)

    def never_renew(self, pod: FakePod) -> None:
        """Containers that are given another image will not run again: it cannot be pulled."""
        self._scripts[pod.uid] = replace(self._scripts[pod.uid], renew=None)

    def release_stuck(self, pod: FakePod) -> None:
        """Let a pod that is stuck Terminating go at last."""
        self._scripts[pod.uid] = replace(self._scripts[pod.uid], terminate=0.0)
        self._gone(pod.uid)

    def lose_node(self, name: str, *, noticed_after: Seconds = 40.0) -> None:
        """The node's kubelet stops; the control plane marks it NotReady a little later."""
        self._lost.add(name)
        self._tell_watchers()
        self._after(noticed_after, lambda: self._notice(name))

    def return_node(self, name: str) -> None:
        """The node is Ready again; what was being deleted on it goes."""
        self._lost.discard(name)
        self._tell_watchers()
        self.server.set_node(name, ready=True)
        for pod in self.server.pods():
            if pod.node == name and pod.terminating:
                self._end(pod)

    def _see(self, change: Change) -> None:
        stored = change.stored
        if isinstance(stored, FakePod):
            self._see_pod(change.verb, stored)
            self._tell_of_answers(change.verb, stored)
        elif change.verb == "DELETED" and change.key.kind == "ScaleSet":
            self._after(0.5, lambda: self._collect(change.manifest()["metadata"]["uid"]))

    def _tell_of_answers(self, verb: str, pod: FakePod) -> None:
        """Tell the watchers, unless the write was of no matter to what answers."""
        alive = (pod.ip, pod.started, pod.containers_ready, pod.over, pod.runs)
        now = None if verb == "DELETED" else alive
        if self._told.get(pod.uid) != now:
            self._told[pod.uid] = now
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        for watcher in self._watchers:
            watcher()

    def _see_pod(self, verb: str, stored: FakePod) -> None:
        if verb == "ADDED":
            self._scripts[stored.uid] = script = self.script_for(stored)
            if stored.node is None:
                self._later(script.schedule, lambda: self._schedule(stored.uid))
            else:
                self._take_over(stored, script)
        elif verb == "DELETED":
            self._free_address(stored)
        elif stored.terminating:
            self._end(stored)
        elif stored.over:
            self._free_address(stored)
        elif stored.runs and stored.uid not in self._renewing and self._is_to_run_again(stored):
            # The spec names other images than those that run: kubelet renews these containers.
            self._renewing.add(stored.uid)
            self._after(0.1, lambda: self._kill(stored.uid))
            self._later(self._scripts[stored.uid].renew, lambda: self._run_again(stored.uid))

    def _take_over(self, pod: FakePod, script: PodScript) -> None:
        """A pod that was on its node already when this world began."""
        if pod.ip is not None:
            self._held[pod.ip] = pod.uid
        if pod.terminating:
            self._end(pod)
        elif not pod.runs and not pod.over:
            self._later(script.start, lambda: self._start(pod.uid))

    def _end(self, pod: FakePod) -> None:
        self._later(self._scripts[pod.uid].terminate, lambda: self._gone(pod.uid))

    def _schedule(self, uid: str) -> None:
        pod = self.server.find(uid)
        if pod is None or not pod.live:
            return
        node = node_for(pod, self.server.nodes(), self.server.pods())
        if node is None:
            if pod.wanted.must:
                words = f"0/{len(self.server.nodes())} nodes are available"
                self._write(uid, unschedulable=words)
            self._after(1.0, lambda: self._schedule(uid))
            return
        self._write(uid, node=node, ip=self._take_address(uid), unschedulable="")
        self._later(self._scripts[uid].start, lambda: self._start(uid))

    def _start(self, uid: str) -> None:
        started = whole_second(self.clock.now())
        pod = self.server.find(uid)
        rows = pod.spec.get("containers", ()) if pod else ()
        runs = tuple(Run(row["name"], row["image"], 0, started) for row in rows)
        self._write(uid, phase="Running", started=started, runs=runs, containers_ready=True)
        self._later(self._scripts[uid].dies, lambda: self._fail(uid))

    def _is_to_run_again(self, pod: FakePod) -> bool:
        return bool(_others(pod)) or pod.uid in self._killed

    def _kill(self, uid: str) -> None:
        pod = self.server.find(uid)
        if pod is not None:
            self._killed.setdefault(uid, set()).update(_others(pod))
            self._write(uid, containers_ready=False)

    def _run_again(self, uid: str, *, all_of_them: bool = False) -> None:
        self._renewing.discard(uid)
        pod = self.server.find(uid)
        if pod is None or not pod.live or not pod.runs:
            return
        if self.missing & set(_images(pod).values()):
            return  # Until the spec names another.
        ended = self._killed.pop(uid, set()) | _others(pod)
        now, images = whole_second(self.clock.now()), _images(pod)
        runs = tuple(
            Run(run.name, images[run.name], run.restarts + 1, now, run.started)
            if all_of_them or run.name in ended
            else run
            for run in pod.runs
        )
        self._write(uid, runs=runs, containers_ready=True)

    def _fail(self, uid: str) -> None:
        self._write(uid, phase="Failed", containers_ready=False)

    def _gone(self, uid: str) -> None:
        pod = self.server.find(uid)
        if pod is not None and pod.terminating and pod.node not in self._lost:
            self.server.remove_pod(pod)

    def _collect(self, owner_uid: str) -> None:
        for pod in self.server.pods():
            controller = "" if pod.controller is None else pod.controller.uid
            if owner_uid in (controller, *pod.holders):
                self.server.delete_pod(pod.namespace, pod.name, uid=pod.uid)

    def _write(self, uid: str, **fields: Any) -> None:
        """Kubelet's own write, for as long as the pod is there and its node reports."""
        pod = self.server.find(uid)
        if pod is not None and not pod.over and pod.node not in self._lost:
            self.server.change_pod(pod, uid=uid, **fields)

    def _notice(self, name: str) -> None:
        if name in self._lost:
            self.server.set_node(name, ready=False)

    def _later(self, seconds: Seconds | None, act: Callable[[], None]) -> None:
        if seconds is not None:
            self._after(seconds, act)

    def _after(self, seconds: Seconds, act: Callable[[], None]) -> None:
        self.clock.after(timedelta(seconds=seconds), act)

    def _take_address(self, uid: str) -> str:
        if self.reuse_addresses and self._free:
            address = self._free.pop()
        else:
            every = (f"127.16.{number // 250}.{number % 250 + 1}" for number in self._numbers)
            address = next(one for one in every if one not in self._held)
        self._held[address] = uid
        return address

    def _free_address(self, pod: FakePod) -> None:
        if pod.ip is not None and self._held.get(pod.ip) == pod.uid:
            del self._held[pod.ip]
            self._free.append(pod.ip)


def _images(pod: FakePod) -> dict[str, str]:
    return {row["name"]: row["image"] for row in pod.spec.get("containers", ())}


def _others(pod: FakePod) -> set[str]:
    """Containers that run another image than the spec names."""
    wanted = _images(pod)
    return {run.name for run in pod.runs if run.image != wanted[run.name]}

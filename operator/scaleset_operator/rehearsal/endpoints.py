"""What answers at each pod's address: the instances' own behaviour, scripted.

One for the whole test world, shared by all simulated probers. It must not know who asks, or what
follows from an answer.
"""

from collections.abc import Callable
from typing import Final, NamedTuple
from weakref import WeakMethod

from scaleset_operator.core.observed import Outcome
from scaleset_operator.rehearsal.kubelet import FakeKubelet
from scaleset_operator.rehearsal.objects import FakePod


class Answer(NamedTuple):
    """How an endpoint meets an attempt."""

    outcome: Outcome
    status: int = 0


OK: Final = Answer(Outcome.OK, 200)
STATUS_500: Final = Answer(Outcome.WRONG_STATUS, 500)
STATUS_503: Final = Answer(Outcome.WRONG_STATUS, 503)
GARBAGE: Final = Answer(Outcome.MALFORMED)
REFUSED: Final = Answer(Outcome.REFUSED)
NO_ROUTE: Final = Answer(Outcome.UNREACHABLE)
HANG: Final = Answer(Outcome.TIMED_OUT)
NEVER: Final = 2**31
"""More restarts than any pod of a test sees."""


class FakeEndpoints:
    """The endpoints of all pods: OK unless told otherwise.

    Attributes:
        default: how an instance with no script of its own answers once its containers run; a
            function of the pod, so that a replacement can be bad from birth.
    """

    def __init__(
        self, kubelet: FakeKubelet, default: Callable[[FakePod], Answer] = lambda _: OK
    ) -> None:
        self.kubelet = kubelet
        self.default = default
        self._scripted: dict[str, Answer] = {}
        self._on_path: dict[tuple[str, str | None], Answer] = {}
        self._cured_by_restart: dict[str, int] = {}
        self._watchers: list[WeakMethod[Callable[[], None]]] = []
        kubelet.watch(self._tell)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call a method whenever some answer may just have changed, while its object lives."""
        self._watchers.append(WeakMethod(watcher))

    def set(self, uid: str, answer: Answer) -> None:
        """From now on the pod of this UID answers so."""
        self._scripted[uid] = answer
        self._tell()

    def set_until_restart(self, uid: str, answer: Answer) -> None:
        """The pod answers so until its containers have been restarted."""
        pod = self.kubelet.server.find(uid)
        self._cured_by_restart[uid] = sum(run.restarts for run in pod.runs) if pod else 0
        self.set(uid, answer)

    def heal(self, uid: str) -> None:
        """From now on the pod answers OK."""
        self.set(uid, OK)

    def set_path(self, uid: str, path: str, answer: Answer | None) -> None:
        """From now on the pod answers so on one path; None as on all others."""
        self._on_path.pop((uid, path), None)
        if answer is not None:
            self._on_path[uid, path] = answer
        self._tell()

    def holder(self, address: str) -> FakePod | None:
        """The pod that has the address now; None if nobody has."""
        uid = self.kubelet.holder(address)
        return None if uid is None else self.kubelet.server.find(uid)

    def answer(self, address: str, path: str | None = None) -> Answer:
        """What an attempt on this address that begins now meets.

        Nobody at the address, and a lost node, are silence; a pod whose containers do not run, or
        are being restarted, refuses.
        """
        pod = self.holder(address)
        if pod is None or self.kubelet.is_lost(pod.node):
            return HANG
        if pod.started is None or not pod.containers_ready:
            return REFUSED
        if sum(run.restarts for run in pod.runs) > self._cured_by_restart.get(pod.uid, NEVER):
            return self.default(pod)
        own = self._on_path.get((pod.uid, path)) or self._scripted.get(pod.uid)
        return own or self.default(pod)

    def _tell(self) -> None:
        living = [(ref, watcher) for ref in self._watchers if (watcher := ref()) is not None]
        self._watchers = [ref for ref, _ in living]
        for _, watcher in living:
            watcher()

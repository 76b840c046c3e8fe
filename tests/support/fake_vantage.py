"""The port `Vantage`: a second prober elsewhere, over the same endpoints, with sight of its own.

It must not know what the first prober sees, or what follows from its vote.
"""

from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.core.observed import Outcome
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.endpoints import FakeEndpoints

INTERVAL: Final = timedelta(seconds=5)


class FakeVantage:
    """Asks each pod once in an interval, as long as it is asked about it.

    Attributes:
        sees: whether its own path to the pods is open.
    """

    def __init__(
        self, clock: VirtualClock, endpoints: FakeEndpoints, path: str = "/healthz"
    ) -> None:
        self.clock = clock
        self.endpoints = endpoints
        self.path = path
        self.sees = True
        self._asked: dict[str, datetime] = {}
        self._heard: dict[str, datetime] = {}

    def votes(self, pod_uid: str) -> datetime | None:
        """See the port."""
        now = self.clock.now()
        before = self._asked.get(pod_uid)
        if before is None or now - before >= INTERVAL:
            self._asked[pod_uid] = now
            if self._answers(pod_uid):
                self._heard[pod_uid] = now
        return self._heard.get(pod_uid)

    def _answers(self, pod_uid: str) -> bool:
        pod = self.endpoints.kubelet.server.find(pod_uid)
        if not self.sees or pod is None or pod.ip is None:
            return False
        return self.endpoints.answer(pod.ip, self.path).outcome is Outcome.OK

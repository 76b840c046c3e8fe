"""A link over a real prober process, and what it called.

Must not know any single test.
"""

from collections.abc import Hashable

from scaleset_operator.adapters.prober.evidence import TargetEvidence, TargetSpec
from scaleset_operator.adapters.prober.link import ProberLink, ProberState
from scaleset_operator.api.healthprobe import Protocol
from scaleset_operator.core.observed import Outcome
from tests.adapters.prober.conftest import until

KEY = ("uid-1", "health")


class Watched:
    """A link, and what it called."""

    def __init__(self, heart_dead: float = 5.0) -> None:
        self.changes: list[Hashable] = []
        self.states: list[ProberState] = []
        self.link = ProberLink(
            on_change=self.changes.append,
            on_state=lambda: self.states.append(self.link.state()),
            heart_dead=heart_dead,
        )

    def set(self, port: int, key: Hashable = KEY, **changes: object) -> None:
        fields: dict[str, object] = {
            "pod_uid": "uid-1",
            "ip": "127.0.0.1",
            "probe_key": ("probe-uid", 1, port),
            "protocol": Protocol.HTTP,
            "port": port,
            "path": "/healthz",
            "interval": 0.1,
            "timeout": 11.0,
        }
        self.link.set_target(key, TargetSpec(**(fields | changes)))  # type: ignore[arg-type]

    def evidence(self, key: Hashable = KEY) -> TargetEvidence:
        evidence = self.link.evidence(key)
        assert evidence is not None
        return evidence

    async def outcome(self, outcome: Outcome, key: Hashable = KEY) -> None:
        await until(lambda: self.evidence(key).outcome is outcome)

    def pid(self) -> int:
        pid = self.link.state().pid
        assert pid is not None
        return pid

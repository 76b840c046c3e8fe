"""Two replicas of the operator with --leader-elect, and who of them leads, by the Lease itself.

The path of either's prober to some instances can be cut.

Must not know what is done to them.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from tests.integration.audit import AuditLog
from tests.integration.operator_fixture import SOURCE, OperatorProcess
from tests.integration.waiting import eventually
from tests.support.kube_api import ApiError
from tests.support.scraping import Scrape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcluster.cluster import LocalCluster
    from tests.integration.world import Json, World

USERS: Final = ("operator", "peer")
LOOK_S: Final = 0.01
CUTTING: Final = Path(__file__).parent / "cut_paths"


class Replica:
    """One of them.

    Attributes:
        process: it may be ended and started again.
        audit: what it asked of the API server.
    """

    def __init__(self, process: OperatorProcess, audit: AuditLog, cut: Path) -> None:
        self.process = process
        self.audit = audit
        self._cut = cut
        self.cut_off([])

    def cut_off(self, pods: Iterable[Json]) -> None:
        """Its prober, and nobody else, hears these no more, and all others."""
        self._cut.write_text(" ".join(str(pod["status"]["podIP"]) for pod in pods))

    @property
    def word(self) -> str:
        """What its readiness says of its place; empty where it does not answer."""
        with suppress(OSError):
            return self.process.page("/readyz")[1]
        return ""

    @property
    def leads(self) -> bool:
        return "leadership: leads" in self.word

    @property
    def stands_by(self) -> bool:
        return "leadership: stands by" in self.word and "nobody" not in self.word

    def lost_probes(self) -> float:
        """How many attempts of its prober ended without an answer."""
        figures = Scrape(self.process.page("/metrics")[1])
        return figures.value("scaleset_probe_results_total", result="timed_out") or 0.0

    def told(self) -> str:
        """What a person wants to read when it did not do as expected."""
        return f"{self.word}\n{self.process.last_words()}"

    def wrote(self) -> list[str]:
        """What it wrote beside the Lease since its audit log was marked."""
        found = self.audit.writes()
        return [f"{r.verb} {r.resource} {r.name}" for r in found if r.resource != "leases"]


class Replicas:
    """Both, for the length of a `with` block."""

    def __init__(self, cluster: LocalCluster, world: World, folder: Path, *arguments: str) -> None:
        self.world = world
        self._stack = ExitStack()
        where = ("--leader-elect", "--leader-elect-namespace", world.namespace)
        self.both: list[Replica] = []
        for user in USERS:
            home = folder / user
            home.mkdir()
            cut = home / "cut"
            process = OperatorProcess(
                cluster,
                home,
                *where,
                *("--namespace", world.namespace),
                *arguments,
                user=user,
                environment={"CUT_PATHS": str(cut), "PYTHONPATH": f"{SOURCE}:{CUTTING}"},
            )
            self.both.append(Replica(process, AuditLog(cluster.audit_log, user=user), cut))

    def __enter__(self) -> Self:
        for replica in self.both:
            self._stack.enter_context(replica.process)
        eventually(lambda: any(r.leads for r in self.both), "somebody leads")
        eventually(lambda: any(r.stands_by for r in self.both), "the other stands by")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def in_order(self) -> tuple[Replica, Replica]:
        """The leader and the standby."""
        first, second = self.both
        return (first, second) if first.leads else (second, first)

    def lease(self) -> dict[str, Any]:
        """The Lease as it stands."""
        path = "/apis/coordination.k8s.io/v1/namespaces"
        try:
            return self.world.api.get(f"{path}/{self.world.namespace}/leases/scaleset-operator")
        except ApiError:
            return {}

    def holder(self) -> str:
        return str((self.lease().get("spec") or {}).get("holderIdentity") or "")

    def taken_over_within(self, seconds: float, holder: str) -> float:
        """Wait until somebody else than this one holds the Lease; gives after how many seconds."""
        began = time.monotonic()
        eventually(
            lambda: self.holder() not in {"", holder},
            "somebody else leads",
            seconds=seconds,
            every=LOOK_S,
        )
        return time.monotonic() - began

"""Where the demo plays: a cluster, the operator on it, and instances that can be told to break.

Must not know: which venues there are, or what is played.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from demo.endpoints import Endpoints


class Cluster(Protocol):
    """A cluster, as its administrator reaches it."""

    @property
    def server(self) -> str:
        """The API server's address."""

    @property
    def token(self) -> str:
        """An administrator's."""

    @property
    def ca_file(self) -> Path:
        """What vouches for the server."""

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess
        """Run kubectl, and give what it printed."""


class Operator(Protocol):
    """The operator, while it runs."""

    @property
    def reading(self) -> str:
        """The command that shows its log."""

    def must_run(self) -> None:
        """Raise DemoError, with the end of its log, when it has ended by itself."""

    def tail(self) -> str:
        """The last lines of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """All that a play needs.

    Attributes:
        cluster: is up.
        operator: serves it.
        endpoints: of the instances.
        sample: the HealthProbe and the ScaleSet of the sample, fitted to the cluster.
        fitted: how they were fitted, to complete "the sample, ...".
        command: plays it again.
        entrance: what a person types to have a kubectl for it.
        patience: waits may take so many times as long as where pods are pretended.
    """

    cluster: Cluster
    operator: Operator
    endpoints: Endpoints
    sample: list[dict[str, Any]]
    fitted: str
    command: str
    entrance: tuple[str, ...]
    patience: float = 1.0

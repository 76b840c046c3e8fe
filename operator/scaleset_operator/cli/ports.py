"""What the plugin needs of the world, as Protocols; `__main__` fills them.

Must not know: how a cluster is found or spoken to. Errors are those of `reconciler.ports`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from scaleset_operator.core.attempts import Attempted
    from scaleset_operator.core.policies import Policy
    from scaleset_operator.reconciler.ports import Owner, Pods, ProbeTarget

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which cluster, and as whom; None takes what the kubeconfig says.

    Attributes:
        kubeconfig: path of the file.
        context: name of the context in it.
        user: whom to impersonate.
    """

    kubeconfig: str | None = None
    context: str | None = None
    user: str | None = None


class Client(Protocol):
    """One API server, by paths; every call is one request.

    All raise Gone (404), Conflict (409), Refused (403, 422) and Unavailable (anything else, and no
    answer at all).
    """

    @property
    def namespace(self) -> str:
        """The namespace that the context names, else `default`."""
        ...

    @property
    def server(self) -> str:
        """The API server's URL, for people."""
        ...

    async def get(self, path: str) -> Json:
        """One object."""
        ...

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """All objects of a collection, page by page.

        Args:
            path: of the collection.
            query: labelSelector and fieldSelector.
        """
        ...

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST an object; gives it as the API server answered."""
        ...

    async def merge(self, path: str, body: Mapping[str, Any]) -> Json:
        """Merge into an object (application/merge-patch+json); gives it as it is then."""
        ...

    async def edit(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        """Carry out a JSON patch (application/json-patch+json); gives the object as it is then."""
        ...

    async def date(self) -> datetime | None:
        """The Date of an answer, in whole seconds; None where it bears none."""
        ...

    def sort_pods(self, owner: "Owner", pods: Sequence[Json]) -> "Pods":
        """Which of these pods are the set's, as the operator tells them apart; no request."""
        ...

    def read_policy(self, policy: Json) -> "Policy | None":
        """A NetworkPolicy as the operator reads it; None if about what goes out. No request."""
        ...

    def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """The objects of a collection each time they change; ends when the server ends it.

        An object that is gone comes as it last stood, with a deletionTimestamp.
        """
        ...


class Entrance(Protocol):
    """The way into the world, given to every command."""

    def now(self) -> datetime:
        """Aware datetime in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def attempt(self, targets: "Sequence[ProbeTarget]") -> "Sequence[Attempted]":
        """Attempt each target once, from here, as the prober would; blocks until all have ended."""
        ...

    def connect(self, target: Target) -> AbstractAsyncContextManager[Client]:
        """A connection for the length of one command.

        Raises:
            Unavailable: no kubeconfig, no such context, or one that cannot be used.
        """
        ...

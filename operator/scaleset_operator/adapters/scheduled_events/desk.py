"""One request, from what was sent to what is answered. Called on the server's thread.

Of the cluster it only reads single values. Must not know: sockets, or how an approval is written.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from scaleset_operator.adapters.scheduled_events.answers import Answer, Declined, Outcome
from scaleset_operator.adapters.scheduled_events.approval import Sets, known_set
from scaleset_operator.adapters.scheduled_events.asker import Asker, View, asker_at
from scaleset_operator.adapters.scheduled_events.document import (
    check_request,
    document,
    read_approvals,
)
from scaleset_operator.core.scheduled_events import events_of, in_order, number_for, own_event

if TYPE_CHECKING:
    from scaleset_operator.api.scalesetstatus import ScaleSetStatus
    from scaleset_operator.reconciler.ports import Key

MOST_KEPT: Final = 500

Approve = Callable[[Asker, frozenset[str]], Awaitable[None]]
"""Approves events of the asker's set; raises Declined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came.

    Attributes:
        peer: the address that the connection came from.
        query: the first value of each.
        headers: by name, in any case.
    """

    peer: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


class Desk:
    """Answers."""

    def __init__(self, view: View, sets: Sets, approve: Approve) -> None:
        """Prepares it.

        Args:
            view: the cache of the pods.
            sets: the ScaleSets as last heard; may be called from any thread.
            approve: approves.
        """
        self._view = view
        self._sets = sets
        self._approve = approve
        self._kept: dict[tuple[Key, int], tuple[ScaleSetStatus, bytes]] = {}

    async def answer(self, asked: Asked) -> Answer:
        """The answer to a request, whatever was sent."""
        try:
            check_request(asked.method, asked.path, asked.query, asked.headers)
            asker = asker_at(asked.peer, self._view)
            if asked.method == "GET":
                body = self._document(asker)
                return Answer(status=HTTPStatus.OK, body=body, outcome=Outcome.ANSWERED)
            await self._approve(asker, read_approvals(asked.body))
            return Answer(status=HTTPStatus.OK, body=b"{}\n", outcome=Outcome.APPROVED)
        except Declined as declined:
            return declined.answer

    def _document(self, asker: Asker) -> bytes:
        """The document of the asker: of its set, and what is ahead of itself."""
        status = known_set(self._sets, asker).resource.status
        own = own_event(status, asker.instance)
        number = number_for(status, asker.instance)
        if own is not None:
            return document(number, in_order([*events_of(status), own]))
        kept = self._kept.get((asker.scale_set, number))
        if kept is not None and kept[0] is status:
            return kept[1]
        body = document(number, events_of(status))
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[asker.scale_set, number] = (status, body)
        return body

"""Two sets, their pods at addresses of loopback, and whoever comes to ask: for the tests of this.

The pods stand in the cache that the operator has; the live cluster is a copy of them that may be
ahead of it. Must not know what is answered.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from scaleset_operator.adapters.cluster.approvals import Claimant, Marked
from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.adapters.scheduled_events.approval import Approvals
from scaleset_operator.adapters.scheduled_events.desk import Asked, Desk
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import Resources
from tests.adapters.cluster.objects import UID, WEB, controller, pod
from tests.core._stories import entry, ledger
from tests.support.builders import raw_spec
from tests.support.event_asker import HEADERS, PATH
from tests.support.fake_clock import T0
from tests.support.fake_leadership import FakeLeadership

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scaleset_operator.adapters.cluster.pods import PodRecord
    from scaleset_operator.adapters.scheduled_events.answers import Answer
    from scaleset_operator.core.plan import Note
    from scaleset_operator.reconciler.ports import Owner

QUERY: Final = {"api-version": "2020-07-01"}
DUE: Final = T0 + timedelta(minutes=5)
APPROVED: Final = "scaleset.dev/approve-termination"
OTHER: Final = Key("default", "other")
OTHER_UID: Final = "uid-of-other"
WEB_1, WEB_2, OTHER_7, NOBODY = "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.9"


@dataclass
class View:
    """The cache as the operator has it."""

    cache: PodCache = field(default_factory=lambda: PodCache(lambda _: None))
    cut: float | None = 0.0

    def at(self, address: str) -> Sequence[PodRecord]:
        return self.cache.at(address)

    def cut_for(self) -> float | None:
        return self.cut


@dataclass
class Live:
    """The pods as they are: the port `Writer`.

    Attributes:
        fault: raised by the next question.
        asked: how many questions there were.
        marks: (pod, annotation, value) of each that was written.
    """

    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    fault: Exception | None = None
    asked: int = 0
    marks: list[tuple[str, str, str]] = field(default_factory=list)

    async def claimants(self, address: str) -> list[Claimant]:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return [
            Claimant(Key(p["metadata"]["namespace"], p["metadata"]["name"]), p["metadata"]["uid"])
            for p in self.pods.values()
            if p["status"].get("podIP") == address and "deletionTimestamp" not in p["metadata"]
        ]

    async def mark(self, owner: Owner, meant: tuple[str, str], mark: tuple[str, str]) -> Marked:
        name, uid = meant
        found = self.pods.get(name)
        if found is None or found["metadata"]["uid"] != uid:
            return Marked.OVER
        assert found["metadata"]["ownerReferences"][0]["uid"] == owner.uid
        held = found["metadata"]["annotations"]
        if held.get(mark[0]) == mark[1]:
            return Marked.STOOD
        held[mark[0]] = mark[1]
        self.marks.append((name, *mark))
        return Marked.WRITTEN


class Counter:
    """The desk, with what stands behind it.

    Attributes:
        seconds: of the clock of the approvals.
        now: of the operator's clock.
        told: the Events on sets.
    """

    def __init__(self) -> None:
        self.view = View()
        self.live = Live()
        self.resources = Resources()
        self.leadership = FakeLeadership(leading=True)
        self.told: list[tuple[Key, Note]] = []
        self.seconds = 1_000.0
        self._version = 100
        self.now = T0
        approvals = Approvals(
            self.resources.scale_set,
            self.live,
            self.leadership,
            self._tell,
            lambda: self.now,
            lambda: self.seconds,
        )
        self.approvals = approvals
        self.desk = Desk(self.view, self.resources.scale_set, approvals.approve)
        self.hear(WEB, UID)
        self.hear(OTHER, OTHER_UID)
        self.put(pod(1, status={"podIP": WEB_1}))
        self.put(pod(2, status={"podIP": WEB_2}))
        self.put(others(7, status={"podIP": OTHER_7}))

    async def _tell(self, owner: Owner, note: Note) -> None:
        self.told.append((owner.key, note))

    def hear(
        self,
        key: Key,
        uid: str,
        *entries: dict[str, Any],
        number: int | None = None,
        maintenance: dict[str, Any] | None = None,
    ) -> None:
        """The status of a set, with these repairs in flight."""
        self._version += 1
        metadata = {
            "namespace": key.namespace,
            "name": key.name,
            "uid": uid,
            "resourceVersion": str(self._version),
        }
        status = {**ledger(*entries), "scheduledEventsIncarnation": number}
        status |= {"maintenance": maintenance} if maintenance is not None else {}
        self.resources.put_scale_set({"metadata": metadata, "spec": raw_spec(), "status": status})

    def notice(self, *numbers: int, number: int = 7) -> None:
        """These instances of web have their notice."""
        self.hear(WEB, UID, *[told(one) for one in numbers], number=number)

    def put(self, one: dict[str, Any], *, live: bool = True) -> None:
        """A pod, as the cache hears of it and, where it is there, as it is."""
        self.view.cache.put(copy.deepcopy(one))
        if live:
            self.live.pods[one["metadata"]["name"]] = copy.deepcopy(one)

    async def get(self, peer: str, **changes: Any) -> Answer:
        """The answer to a GET from there."""
        return await self.desk.answer(asked(peer, "GET", **changes))

    async def events(self, peer: str) -> list[dict[str, Any]]:
        """The events that are told there."""
        answer = await self.get(peer)
        assert answer.status == 200, answer.body
        rows: list[dict[str, Any]] = orjson.loads(answer.body)["Events"]
        return rows

    async def post(self, peer: str, *ids: str, **changes: Any) -> Answer:
        """The answer to an approval from there."""
        body = orjson.dumps({"StartRequests": [{"EventId": one} for one in ids]})
        return await self.desk.answer(asked(peer, "POST", **({"body": body} | changes)))


def asked(peer: str, method: str, **changes: Any) -> Asked:
    """A good request, unless the test names more."""
    parts: dict[str, Any] = {"path": PATH, "query": QUERY, "headers": HEADERS} | changes
    return Asked(peer=peer, method=method, **parts)


def others(number: int, version: int = 10, **changes: Any) -> dict[str, Any]:
    """A pod of the set `other`."""
    return pod(
        number,
        version,
        name=f"other-{number}",
        uid=f"uid-other-{number}",
        labels={"scaleset.dev/name": "other"},
        ownerReferences=[controller(uid=OTHER_UID, name="other")],
        **changes,
    )


def told(number: int) -> dict[str, Any]:
    """The entry of a repair whose victim has its notice."""
    return entry(number, uid=f"uid-{number}", phase="Notified", terminateAt=DUE.isoformat())


def error(answer: Answer) -> tuple[int, str]:
    """The status and the code of a refusal."""
    found: Mapping[str, Mapping[str, str]] = orjson.loads(answer.body)
    assert found["error"]["message"]
    return answer.status, found["error"]["code"]

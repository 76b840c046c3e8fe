"""The operator's side over a real prober process: outcomes, evidence, and whether it sees."""

from collections.abc import AsyncIterator

import pytest

from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.link import ProberState
from scaleset_operator.adapters.prober.wire import ReferenceState
from scaleset_operator.api.healthprobe import Protocol
from scaleset_operator.core.observed import Outcome
from tests.adapters.prober.conftest import Serve, until
from tests.adapters.prober.servers import (
    OK,
    accepting,
    answering,
    hanging,
    refusing_port,
    with_status,
)
from tests.adapters.prober.watched import KEY, Watched


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.link.start()
    await watched.link.settled()
    yield watched
    await watched.link.close()


async def test_outcomes_become_evidence(watched: Watched, serve: Serve) -> None:
    """R-09: health is seen whatever repairs do."""
    before = boottime_ns()
    watched.set(serve(answering(OK)).port)
    assert watched.evidence().outcome is None
    await until(lambda: watched.evidence().sequence >= 3)
    found = watched.evidence()
    assert (found.outcome, found.status, found.failures) == (Outcome.OK, 200, 0)
    assert found.last_begun is not None
    assert found.last_ended is not None
    assert before <= found.watched_since <= found.last_begun <= found.last_ended <= boottime_ns()


async def test_only_the_first_outcome_and_another_kind_are_told(
    watched: Watched, serve: Serve
) -> None:
    ill = serve(with_status("503 Service Unavailable"))
    watched.set(ill.port, interval=0.02)
    await until(lambda: watched.evidence().sequence >= 5)
    assert watched.changes == [KEY]
    ill.close()
    await watched.outcome(Outcome.REFUSED)
    assert watched.changes == [KEY, KEY]


async def test_each_target_has_evidence_of_its_own(watched: Watched, serve: Serve) -> None:
    """X-06: one that answers wrongly is known beside those that are silent."""
    with refusing_port() as port:
        watched.set(port, "refused")
        watched.set(serve(hanging).port, "silent")
        watched.set(serve(with_status("404 Not Found")).port, "wrong")
        watched.set(serve(accepting).port, "tcp", protocol=Protocol.TCP, path="")
        await watched.outcome(Outcome.REFUSED, "refused")
        await watched.outcome(Outcome.TIMED_OUT, "silent")
        await watched.outcome(Outcome.WRONG_STATUS, "wrong")
        await watched.outcome(Outcome.OK, "tcp")
    assert watched.evidence("silent").silent
    assert not watched.evidence("wrong").silent


async def test_another_address_begins_anew(watched: Watched, serve: Serve) -> None:
    """P-25, P-30: nothing found at the old address counts for the new one."""
    port = serve(with_status("500 Internal Server Error")).port
    watched.set(port)
    await watched.outcome(Outcome.WRONG_STATUS)
    healthy = serve(answering(OK), "127.0.0.2")
    watched.set(healthy.port, ip="127.0.0.2")
    assert watched.evidence().outcome is None
    await watched.outcome(Outcome.OK)
    assert watched.evidence().failures == 0
    assert watched.evidence().ip == "127.0.0.2"


async def test_a_dropped_target_is_forgotten(watched: Watched, serve: Serve) -> None:
    """P-23: and gets no more requests."""
    watched.set(serve(answering(OK)).port)
    await watched.outcome(Outcome.OK)
    watched.link.drop_target(KEY)
    watched.link.drop_target(KEY)
    assert watched.link.evidence(KEY) is None
    await watched.link.settled()
    beat = watched.link.state().heartbeat
    assert beat is not None
    assert beat.targets == 0


async def test_sight_needs_our_own_responder_and_one_reference(
    watched: Watched, serve: Serve
) -> None:
    """X-05: blind, and known to be."""
    await until(lambda: watched.link.state().sees)
    with refusing_port() as port:
        watched.link.set_references([("127.0.0.1", port)])
        assert watched.link.state().references == ()
        await until(lambda: len(watched.link.state().references) == 2)
        assert not watched.link.state().sees
        await until(lambda: not watched.states[-1].sees)
        assert watched.link.state().beating_since is not None

        server = serve(accepting)
        watched.link.set_references([("127.0.0.1", port), ("127.0.0.1", server.port)])
        await until(lambda: watched.link.state().sees)
    assert watched.states[-1].sees


async def test_a_reference_must_be_an_address(watched: Watched) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        watched.link.set_references([("localhost", 6443)])


@pytest.mark.parametrize(
    ("reachable", "sees"),
    [
        ((), False),
        ((True,), True),
        ((False,), False),
        ((True, False), False),
        ((True, False, True), True),
        ((False, True), False),
    ],
    ids=str,
)
def test_the_references_decide_whether_it_sees(reachable: tuple[bool, ...], *, sees: bool) -> None:
    """X-05."""
    references = tuple(ReferenceState(one, 0, 0) for one in reachable)
    state = ProberState(pid=1, starts=1, beating_since=1, heartbeat=None, references=references)
    assert state.sees is sees

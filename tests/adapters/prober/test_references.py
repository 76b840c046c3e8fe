"""Whether the prober can see: its own responder, and the references it is given."""

from collections.abc import Iterator

import pytest

from scaleset_operator.adapters.prober.attempt import Attempt
from scaleset_operator.adapters.prober.engine import Engine, boottime_ns
from scaleset_operator.adapters.prober.references import References
from scaleset_operator.adapters.prober.wire import Code, SetReferences
from tests.adapters.prober.conftest import Lab, Serve
from tests.adapters.prober.servers import accepting, refusing_port


class Watch(Lab):
    """An engine whose outcomes are the references'."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(self._note, at_most=100, clock=self._now)
        self.references = References(self.engine)

    def _note(self, attempt: Attempt, code: Code, ended: int) -> None:
        self._report(attempt, code, ended)
        self.references.note(attempt.target, code, ended)


@pytest.fixture
def watch() -> Iterator[Watch]:
    watch = Watch()
    yield watch
    watch.references.close()
    watch.engine.close()


def test_the_prober_reaches_its_own_responder(watch: Watch) -> None:
    """X-05: with nothing else to look at, this tells blindness."""
    assert [state.reachable for state in watch.references.states] == [False]
    watch.until(lambda: watch.references.states[0].reachable)
    state = watch.references.states[0]
    assert 0 < state.last_success == state.last_ended <= boottime_ns()


def test_references_are_told_apart_and_keep_their_order(watch: Watch, serve: Serve) -> None:
    """X-05: one dead reference is not blindness."""
    with refusing_port() as port:
        server = serve(accepting)
        addresses = (("127.0.0.1", port), ("127.0.0.1", server.port))
        watch.references.set(SetReferences(7, addresses))
        watch.skip(1)
        watch.until(lambda: all(state.last_ended for state in watch.references.states))
    assert [state.reachable for state in watch.references.states] == [True, False, True]
    assert watch.references.epoch == 7
    assert watch.references.states[1].last_success == 0


def test_a_reference_that_is_lost_keeps_the_time_it_was_last_seen(
    watch: Watch, serve: Serve
) -> None:
    server = serve(accepting)
    watch.references.set(SetReferences(1, (("127.0.0.1", server.port),)))
    watch.skip(1)
    watch.until(lambda: watch.references.states[1].reachable)
    last = watch.references.states[1].last_success
    server.close()
    watch.skip(4)
    watch.until(lambda: not watch.references.states[1].reachable)
    assert watch.references.states[1].last_success == last
    assert watch.references.states[1].last_ended > last


def test_new_references_begin_anew_and_our_own_goes_on(watch: Watch, serve: Serve) -> None:
    server = serve(accepting)
    watch.references.set(SetReferences(1, (("127.0.0.1", server.port),)))
    watch.skip(1)
    watch.until(lambda: all(state.reachable for state in watch.references.states))
    watch.references.set(SetReferences(2, (("127.0.0.2", server.port),)))
    assert [state.reachable for state in watch.references.states] == [True, False]
    watch.references.set(SetReferences(3, ()))
    assert len(watch.references.states) == 1

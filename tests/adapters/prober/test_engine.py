"""The loop: who is tried when, beside whom, and whose fault it is when it is late."""

import os
import resource
import socket
import threading
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import pytest

from scaleset_operator.adapters.prober.engine import STALL_NS
from scaleset_operator.adapters.prober.wire import Code
from tests.adapters.prober.conftest import Lab, Serve, open_descriptors
from tests.adapters.prober.servers import (
    OK,
    answering,
    black_hole,
    hanging,
    held_back,
    refusing_port,
)

SECOND = 1_000_000_000


@pytest.fixture
def narrow() -> Iterator[Lab]:
    """An engine with room for two attempts."""
    lab = Lab(at_most=2)
    yield lab
    lab.engine.close()


def test_a_target_is_tried_each_interval_whatever_comes_of_it(lab: Lab, serve: Serve) -> None:
    """P-16, P-26: probing goes on after a failure, at the same pace."""
    good = lab.probe(serve(answering(OK)).port)
    with refusing_port() as port:
        bad = lab.probe(port)
        lab.until(lambda: min(len(lab.outcomes(good)), len(lab.outcomes(bad))) >= 6)
    for target in (good, bad):
        begun = [seen.begun for seen in lab.seen if seen.target is target]
        gaps = [later - earlier for earlier, later in pairwise(begun[1:])]
        # Wide, for the machine may be busy; a pace that slowed down after a failure would double.
        assert median(gaps) == pytest.approx(SECOND / 10, rel=0.6)


def test_a_slow_target_does_not_delay_the_others(lab: Lab, serve: Serve) -> None:
    """P-27: no serial sweep."""
    slow = [lab.probe(serve(hanging).port, interval=3) for _ in range(3)]
    fast = [lab.probe(serve(answering(OK), f"127.0.0.{at}").port, ip=f"127.0.0.{at}")
            for at in range(2, 7)]  # fmt: skip
    lab.until(lambda: min(len(lab.outcomes(target)) for target in fast) >= 5)
    assert all(lab.outcomes(target) == [] for target in slow)
    lab.skip(3)
    assert all(lab.outcomes(target) == [Code.TIMED_OUT] for target in slow)


def test_a_target_has_one_attempt_in_the_air_at_most(lab: Lab) -> None:
    """P-27: or black holes would hold more sockets than there are instances."""
    with black_hole() as port:
        target = lab.probe(port, interval=0.05, timeout=11)
        lab.until(lambda: len(lab.outcomes(target)) >= 5)
    assert lab.most_in_the_air == 1
    runs = [(seen.begun, seen.ended) for seen in lab.seen]
    assert all(ended <= begun for (_, ended), (begun, _) in pairwise(runs))


def test_a_silent_target_is_tried_as_often_as_any(lab: Lab) -> None:
    """P-26: an attempt that takes its whole interval is followed by the next one at once."""
    with black_hole() as port:
        target = lab.probe(port, interval=0.1)
        lab.until(lambda: len(lab.outcomes(target)) >= 6)
    begun = [seen.begun for seen in lab.seen]
    gaps = [later - earlier for earlier, later in pairwise(begun[1:])]
    assert median(gaps) < 0.15 * SECOND


def test_attempts_beyond_the_limit_wait_and_show_as_lag(narrow: Lab, serve: Serve) -> None:
    """P-27: bounded concurrency; nobody is left out."""
    server = serve(hanging)
    targets = [narrow.probe(server.port, interval=0.1) for _ in range(6)]
    narrow.until(lambda: all(narrow.outcomes(target) for target in targets))
    assert narrow.most_in_the_air == 2
    assert narrow.engine.counters.lag_ns > 0.1 * SECOND


def test_a_dropped_target_that_waits_is_not_begun(narrow: Lab, serve: Serve) -> None:
    server = serve(hanging)
    holding = [narrow.probe(server.port, interval=0.1) for _ in range(2)]
    narrow.until(lambda: narrow.engine.in_the_air == 2)
    waiting = narrow.probe(server.port)
    narrow.turn()
    narrow.engine.drop(waiting)
    narrow.until(lambda: all(len(narrow.outcomes(target)) >= 2 for target in holding))
    assert narrow.outcomes(waiting) == []


def test_a_dropped_target_is_heard_of_no_more(lab: Lab, serve: Serve) -> None:
    """P-31: an attempt in the air ends unseen."""
    server = serve(hanging)
    dropped = lab.probe(server.port, interval=0.1)
    lab.until(lambda: len(server.requests) == 1)
    lab.engine.drop(dropped)
    assert lab.engine.in_the_air == 0
    other = lab.probe(serve(answering(OK)).port)
    lab.until(lambda: len(lab.outcomes(other)) >= 3)
    assert lab.outcomes(dropped) == []
    assert server.begun == 1


def test_an_answer_that_comes_after_its_time_is_a_time_out(lab: Lab, serve: Serve) -> None:
    """P-31: late answers are dropped, though they be read before the clock is looked at."""
    gate, sent = threading.Event(), threading.Event()
    server = serve(held_back(gate, sent))
    target = lab.probe(server.port, interval=0.5)
    lab.until(lambda: len(server.requests) == 1)
    gate.set()
    assert sent.wait(4)
    lab.ahead_ns += round(0.6 * SECOND)
    seen = lab.first(target)
    assert (seen.code, seen.status) == (Code.TIMED_OUT, 0)


def test_a_loop_that_stood_still_blames_nobody(lab: Lab, serve: Serve) -> None:
    """P-27, X-05: what was in the air while the prober itself was late is void, good or bad."""
    server = serve(hanging)
    target = lab.probe(server.port, interval=2)
    lab.until(lambda: len(server.requests) == 1)
    assert lab.engine.counters.stall_ns < STALL_NS

    lab.ahead_ns += 3 * SECOND
    lab.turn()

    assert lab.outcomes(target) == []
    assert lab.engine.counters.voided == 1
    assert lab.engine.counters.stall_ns > 2 * SECOND
    # Tried anew, without waiting for its place on the interval.
    lab.until(lambda: len(server.requests) == 2, within=1)
    assert target.sequence == 0


def test_the_probers_own_want_of_descriptors_blames_nobody(lab: Lab, serve: Serve) -> None:
    """R-04: EMFILE is ours."""
    server = serve(answering(OK))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        target = lab.probe(server.port)
        lab.until(lambda: lab.engine.counters.voided >= 2)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert lab.outcomes(target) == []
    assert lab.first(target).code is Code.OK
    assert target.sequence == 1


def test_a_burst_is_begun_in_portions(lab: Lab) -> None:
    """P-27: or the loop would be late by its own work."""
    with refusing_port() as port:
        targets = [lab.probe(port, interval=30) for _ in range(600)]
        before = lab.engine.counters.started
        lab.turn()
        assert lab.engine.counters.started - before <= 256
        lab.until(lambda: all(lab.outcomes(target) for target in targets))


def test_nothing_is_left_open(serve: Serve) -> None:
    """P-15: neither ended, nor dropped, nor hanging attempts keep a descriptor."""
    good, silent = serve(answering(OK)), serve(hanging)
    before = open_descriptors()
    lab = Lab()
    targets = [lab.probe(port) for port in (good.port, silent.port) for _ in range(3)]
    lab.until(lambda: all(len(lab.outcomes(target)) >= 2 for target in targets))
    lab.engine.drop(targets[-1])
    lab.engine.close()
    assert lab.engine.in_the_air == 0
    after = {fd for fd in open_descriptors() - before if open_to(fd, lab)}
    assert after == set()


def open_to(descriptor: int, lab: Lab) -> bool:
    """Whether a descriptor of this process is a connection that the engine made."""
    ports = {target.target.address[1] for target in lab.seen}
    try:
        with socket.socket(fileno=os.dup(descriptor)) as sock:
            return sock.getpeername()[1] in ports
    except OSError:
        return False


def test_a_watched_descriptor_is_heard_until_it_is_not(lab: Lab) -> None:
    ours, theirs = socket.socketpair()
    heard: list[int] = []
    with ours, theirs:
        lab.engine.watch(ours.fileno(), heard.append)
        theirs.send(b"x")
        lab.until(lambda: bool(heard))
        lab.engine.unwatch(ours.fileno())
        heard.clear()
        lab.turn()
    assert heard == []

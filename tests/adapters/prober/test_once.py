"""One attempt for a person who asks: the prober's own, with what came back."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from scaleset_operator.adapters.prober.evidence import TargetSpec
from scaleset_operator.adapters.prober.once import AT_ONCE, attempt_each
from scaleset_operator.api.healthprobe import Protocol
from scaleset_operator.core.attempts import how_it_ended
from scaleset_operator.core.observed import Outcome
from tests.adapters.prober.conftest import Serve, open_descriptors
from tests.adapters.prober.servers import (
    Behaviour,
    accepting,
    answering,
    black_hole,
    closing,
    hanging,
    refusing_port,
    with_status,
)


def target(
    port: int, *, tcp: bool = False, seconds: float = 2.0, ip: str = "127.0.0.1"
) -> TargetSpec:
    """One target, its attempts ended after so many seconds."""
    return TargetSpec(
        pod_uid="uid",
        ip=ip,
        probe_key="",
        protocol=Protocol.TCP if tcp else Protocol.HTTP,
        port=port,
        path="" if tcp else "/healthz",
        interval=seconds,
        timeout=11.0,
    )


@pytest.mark.parametrize(
    ("behaviour", "outcome", "status", "first"),
    [
        (answering(b"HTTP/1.1 200 OK\r\n\r\nfine"), Outcome.OK, 200, b"HTTP/1.1 200 OK"),
        (with_status("503 Busy"), Outcome.WRONG_STATUS, 503, b"HTTP/1.1 503 Busy"),
        (answering(b"SSH-2.0-x\r\n"), Outcome.MALFORMED, 0, b"SSH-2.0"),
        (closing, Outcome.MALFORMED, 0, b""),
    ],
)
def test_what_came_back_is_shown_with_the_code_that_the_prober_would_report(
    serve: Serve, behaviour: Behaviour, outcome: Outcome, status: int, first: bytes
) -> None:
    """R-03, R-04, P-14."""
    (found,) = attempt_each([target(serve(behaviour).port)])
    assert (found.outcome, found.http_status) == (outcome, status)
    assert found.first_bytes.startswith(first)
    assert found.connected is not None
    assert timedelta(0) < found.connected <= found.took


def test_a_tcp_attempt_succeeds_by_the_handshake_alone(serve: Serve) -> None:
    """P-15."""
    (found,) = attempt_each([target(serve(accepting).port, tcp=True)])
    assert found.outcome is Outcome.OK
    assert found.connected is not None


def test_a_refused_connection_has_no_connect_time() -> None:
    """R-04."""
    with refusing_port() as port:
        (found,) = attempt_each([target(port)])
    assert (found.outcome, found.connected) == (Outcome.REFUSED, None)


def test_an_attempt_ends_after_the_smaller_of_interval_and_timeout(serve: Serve) -> None:
    """P-11; an endpoint that takes the connection and says nothing, and one that takes none."""
    with black_hole() as port:
        late, lost = attempt_each(
            [target(serve(hanging).port, seconds=0.2), target(port, seconds=0.2)]
        )
    assert late.outcome is lost.outcome is Outcome.TIMED_OUT
    assert late.connected is not None
    assert lost.connected is None
    assert timedelta(seconds=0.2) <= late.took < timedelta(seconds=1.5)


def test_many_are_attempted_in_order_and_nothing_is_left_open(serve: Serve) -> None:
    good, bad = serve(answering(b"HTTP/1.1 200 OK\r\n\r\n")), serve(with_status("500 No"))
    before = len(open_descriptors())
    wanted = [target(good.port if n % 2 else bad.port) for n in range(AT_ONCE + 6)]
    found = attempt_each(wanted)
    assert [each.http_status for each in found] == [
        200 if n % 2 else 500 for n in range(len(wanted))
    ]
    deadline = time.monotonic() + 3
    while (
        len(open_descriptors()) > before
    ):  # The servers close their own side when they see ours go.
        assert time.monotonic() < deadline, "a descriptor is left open"
        time.sleep(0.01)


def test_no_target_needs_no_attempt() -> None:
    assert attempt_each([]) == ()


@pytest.mark.parametrize("outcome", Outcome)
def test_each_end_of_an_attempt_has_words_of_its_own(outcome: Outcome) -> None:
    """R-04: absent, wrongly configured and unreachable are told apart."""
    others = {how_it_ended(other, 503) for other in Outcome if other is not outcome}
    assert how_it_ended(outcome, 503) not in others

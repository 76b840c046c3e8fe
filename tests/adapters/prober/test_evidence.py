"""The record of one target, outcome by outcome; and what may be asked for."""

import pytest

from scaleset_operator.adapters.prober.evidence import TargetEvidence, TargetSpec
from scaleset_operator.adapters.prober.wire import Code, OutcomeRecord, ProbeProtocol
from scaleset_operator.api.healthprobe import Protocol
from scaleset_operator.core.observed import Outcome


def follow(*steps: tuple[int, Code]) -> tuple[TargetEvidence, list[bool]]:
    """Takes (sequence, code) one by one; attempt n runs from 100 n to 100 n + 10."""
    evidence = TargetEvidence(ip="10.0.0.1", probe_key=1, watched_since=0)
    changed = [
        evidence.take(OutcomeRecord(1, 1, sequence, 503, code, 100 * sequence, 100 * sequence + 10))
        for sequence, code in steps
    ]
    return evidence, changed


def test_nothing_is_known_before_the_first_outcome() -> None:
    evidence, _ = follow()
    assert evidence.outcome is None
    assert not evidence.silent
    assert evidence.last_success is None


def test_a_run_of_successes_keeps_its_beginning() -> None:
    evidence, changed = follow((1, Code.OK), (2, Code.OK), (3, Code.OK))
    assert (evidence.answering_since, evidence.last_success) == (110, 310)
    assert (evidence.last_success_begun, evidence.last_begun) == (300, 300)
    assert changed == [True, False, False]


def test_a_run_of_failures_keeps_its_beginning_and_the_last_success() -> None:
    """P-12, P-13: both the age of the last success and the failures since are there to judge."""
    evidence, changed = follow((1, Code.OK), (2, Code.WRONG_STATUS), (3, Code.REFUSED))
    assert evidence.last_success == 110
    assert (evidence.failing_begun, evidence.failing_since, evidence.failures) == (200, 210, 2)
    assert (evidence.outcome, evidence.status) == (Outcome.REFUSED, 503)
    assert not evidence.silent
    assert changed == [True, True, True]


def test_a_success_ends_all_that_spoke_against_it() -> None:
    """P-16: the first success counts at once."""
    evidence, _ = follow((1, Code.OK), (2, Code.TIMED_OUT), (3, Code.OK))
    assert (evidence.failing_since, evidence.failing_begun, evidence.failures) == (None, None, 0)
    assert evidence.silent_since is None
    assert evidence.answering_since == 310


@pytest.mark.parametrize("silence", [Code.TIMED_OUT, Code.UNREACHABLE])
def test_silence_lasts_from_the_first_silent_attempt_to_any_answer(silence: Code) -> None:
    evidence, _ = follow((1, Code.REFUSED), (2, silence), (3, Code.TIMED_OUT))
    assert evidence.silent
    assert evidence.silent_since == 210
    assert evidence.failing_since == 110

    evidence, _ = follow((1, silence), (2, Code.WRONG_STATUS))
    assert not evidence.silent
    assert evidence.silent_since is None


def test_a_run_is_known_only_from_where_nothing_was_let_go() -> None:
    evidence, _ = follow((1, Code.OK), (4, Code.OK))
    assert evidence.answering_since == 410

    evidence, _ = follow((1, Code.TIMED_OUT), (4, Code.TIMED_OUT), (5, Code.TIMED_OUT))
    assert evidence.silent_since == 410
    assert evidence.failing_since == 110


def wanted(**changes: object) -> TargetSpec:
    fields: dict[str, object] = {
        "pod_uid": "uid-1",
        "ip": "10.0.0.1",
        "probe_key": 1,
        "protocol": Protocol.HTTP,
        "port": 80,
        "interval": 5.0,
        "timeout": 11.0,
    }
    return TargetSpec(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes", [{"ip": "web.example"}, {"ip": ""}, {"interval": 0.0}, {"timeout": -1.0}], ids=str
)
def test_what_the_prober_could_not_use_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"does not appear|must be above 0"):
        wanted(**changes)


def test_a_path_cannot_break_out_of_its_line() -> None:
    """R-04: what is asked for is what the user wrote, escaped where it must be."""
    command = wanted(path="/a?b=%20&c\r\nX: y/é").command(3, 4)
    assert command.path == "/a?b=%20&c%0D%0AX:%20y/%C3%A9"
    assert (command.target, command.epoch, command.protocol) == (3, 4, ProbeProtocol.HTTP)


def test_seconds_become_nanoseconds() -> None:
    """P-32: integers of seconds outside, one clock inside."""
    command = wanted(interval=0.25, protocol=Protocol.TCP).command(1, 1)
    assert (command.interval_ns, command.timeout_ns) == (250_000_000, 11_000_000_000)
    assert command.protocol is ProbeProtocol.TCP

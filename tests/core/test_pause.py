"""Which instances may be paused in place, by the probes with which kubelet would kill them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.pause import PAUSE, Watch, objection


def watch(period: int, failures: int, container: str = "web") -> Watch:
    return Watch(container=container, period=timedelta(seconds=period), failures=failures)


@pytest.mark.parametrize(
    ("period", "failures", "allowed"),
    [
        (10, 3, False),  # kubelet's defaults: the third failure may come 20 s after the first
        (10, 4, True),  # 30 s, and not a second less
        (15, 3, True),
        (14, 3, False),
        (30, 1, False),  # one attempt under way as it begins is enough
        (3600, 1, False),
        (1, 31, True),
        (1, 30, False),
    ],
)
def test_a_pause_that_kubelet_may_end_by_killing_is_refused(
    *, period: int, failures: int, allowed: bool
) -> None:
    """Both sides of every edge, for the 30 seconds of the source (M-03)."""
    assert timedelta(seconds=30) == PAUSE
    assert (objection([watch(period, failures)], PAUSE) is None) is allowed


def test_an_instance_that_kubelet_does_not_watch_may_be_paused() -> None:
    assert objection([], PAUSE) is None


def test_the_least_patient_container_is_named_with_what_would_do() -> None:
    """Whoever reads it knows what to change (M-03)."""
    told = objection([watch(60, 3, "log"), watch(10, 3, "web"), watch(10, 4, "proxy")], PAUSE)
    assert told == (
        "kubelet may kill container 'web' during a pause of 30 s: its probe fails 3 times in a "
        "row within 20 s; raise periodSeconds or failureThreshold until (failureThreshold - 1) x "
        "periodSeconds is 30 s or more"
    )


@given(
    period=st.integers(1, 60),
    failures=st.integers(1, 10),
    pause=st.integers(1, 120),
    timeout=st.floats(0.1, 1),
    phase=st.floats(0, 0.99),
)
def test_what_is_allowed_survives_attempts_at_any_phase_and_what_is_refused_may_not(
    period: int, failures: int, pause: int, timeout: float, phase: float
) -> None:
    """The first attempt to fail may be under way as the pause begins (M-03)."""
    told = objection([watch(period, failures)], timedelta(seconds=pause))

    def failed(first_ends: float) -> int:
        return sum(first_ends + at * period <= pause for at in range(failures + 1))

    if told is None:
        assert failed(timeout * period * (1 - phase)) < failures
    else:
        assert failed(0.0) >= failures

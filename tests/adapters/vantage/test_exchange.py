"""The question and the answer: what passes, and what does not."""

from pathlib import Path

import pytest

from scaleset_operator.adapters.vantage.exchange import (
    LARGEST_ANSWER,
    LARGEST_QUESTION,
    MOST_ASKED,
    Asked,
    Secret,
    answer,
    question,
    read_answer,
    read_question,
)
from scaleset_operator.reconciler.ports import ProbeKey

SECRET = b"sixteen bytes or more"
KEY = ProbeKey(probe_uid="11111111-2222-3333-4444-555555555555", generation=3, port=8080)
WEB = Asked("pod-1", "10.0.0.7", KEY)


def test_a_question_and_its_answer_arrive_as_they_were_sent() -> None:
    assert read_question(SECRET, question(SECRET, "n1", [WEB])) == ("n1", [WEB])
    assert read_answer(SECRET, "n1", answer(SECRET, "n1", {"pod-1": 2.5})) == {"pod-1": 2.5}


def test_what_is_sealed_with_another_secret_is_nothing() -> None:
    assert read_question(SECRET, question(b"another one, as long", "n1", [WEB])) is None
    assert read_answer(SECRET, "n1", answer(b"another one, as long", "n1", {"pod-1": 1})) is None


@pytest.mark.parametrize("place", [0, 63, 64, -1])
def test_what_was_changed_on_its_way_is_nothing(place: int) -> None:
    body = bytearray(answer(SECRET, "n1", {"pod-1": 2.5}))
    body[place] ^= 1
    assert read_answer(SECRET, "n1", bytes(body)) is None


def test_an_answer_counts_once_and_for_its_own_question() -> None:
    """Whoever kept an old one cannot hold up a repair with it."""
    assert read_answer(SECRET, "n2", answer(SECRET, "n1", {"pod-1": 2.5})) is None


def test_a_question_is_no_answer() -> None:
    """Nor can one be sent back as the other."""
    assert read_answer(SECRET, "n1", question(SECRET, "n1", [WEB])) is None


@pytest.mark.parametrize("body", [b"", b"x", b"0" * 64, b"0" * 64 + b"{}"])
def test_nonsense_is_nothing(body: bytes) -> None:
    assert read_question(SECRET, body) is None
    assert read_answer(SECRET, "n1", body) is None


def test_both_are_bounded() -> None:
    many = [Asked(f"{n:036}", "2001:db8::ffff:ffff:ffff", KEY) for n in range(MOST_ASKED)]
    asked = question(SECRET, "n" * 32, many)
    assert len(asked) < LARGEST_QUESTION
    assert read_question(SECRET, asked) is not None
    assert read_question(SECRET, question(SECRET, "n1", [*many, WEB])) is None
    said = answer(SECRET, "n1", {one.pod_uid: 599.123456789 for one in many})
    assert len(said) < LARGEST_ANSWER
    large = answer(SECRET, "n1", {f"{n:036}": 1.0 for n in range(10_000)})
    assert read_answer(SECRET, "n1", large) is None


def test_an_age_that_is_none_is_left_out() -> None:
    said = answer(SECRET, "n1", {"pod-1": -1.0, "pod-2": 0.0})
    assert read_answer(SECRET, "n1", said) == {"pod-2": 0.0}
    endless = answer(SECRET, "n1", {"pod-1": float("1e400")})
    with pytest.raises(TypeError):
        read_answer(SECRET, "n1", endless)


def test_a_secret_is_read_anew_each_time_and_a_poor_one_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key"
    secret = Secret(file)
    assert secret.value() is None
    file.write_bytes(b"too short")
    assert secret.value() is None
    assert secret.value() is None
    file.write_bytes(SECRET + b"\n")
    assert secret.value() == SECRET
    assert len(caplog.records) == 2, "each trouble is told once"

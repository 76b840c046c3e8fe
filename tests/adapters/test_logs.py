"""Lines of the log: what a machine reads, what a person reads, and what never gets in."""

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.adapters import logs

OURS = logging.getLogger("scaleset_operator.test")
Json = dict[str, Any]

RUNNING = "kopf._core.reactor.running"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """What `set_up` changes for the whole process is put back."""
    root = logging.getLogger()
    loggers = (root, logging.getLogger("kopf"), logging.getLogger(RUNNING))
    handlers, levels = list(root.handlers), [logger.level for logger in loggers]
    root.handlers[:] = []
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def writing(level: str = "info", *, as_json: bool = True) -> io.StringIO:
    stream = io.StringIO()
    logs.set_up(stream, level, as_json=as_json)
    return stream


def lines(stream: io.StringIO) -> list[Json]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json_says_when_how_grave_who_and_what() -> None:
    stream = writing()
    before = datetime.now().astimezone()
    OURS.warning("%d of %d", 3, 4)
    (line,) = lines(stream)
    assert list(line) == ["time", "level", "logger", "message"]
    assert line["level"] == "warning"
    assert line["logger"] == "scaleset_operator.test"
    assert line["message"] == "3 of 4"
    assert line["time"].endswith("Z")
    assert abs(datetime.fromisoformat(line["time"]) - before) < timedelta(seconds=5)


def test_a_message_of_fields_is_those_fields() -> None:
    """How a decision is logged."""
    stream = writing()
    OURS.info({"instance": "web-1", "reason": "InGracePeriod"})
    (line,) = lines(stream)
    assert list(line) == ["time", "level", "logger", "instance", "reason"]


async def test_lines_of_a_turn_name_its_set_and_those_of_others_do_not() -> None:
    stream = writing()

    async def turn(name: str) -> None:
        logs.about(namespace="shop", scaleset=name)
        await asyncio.sleep(0)
        OURS.info("decided")

    await asyncio.gather(turn("web"), turn("api"))
    OURS.info("elsewhere")
    assert [(row.get("namespace"), row.get("scaleset")) for row in lines(stream)] == [
        ("shop", "web"),
        ("shop", "api"),
        (None, None),
    ]


def test_a_traceback_stays_on_the_line() -> None:
    stream = writing()
    try:
        raise KeyError("lost")  # noqa: EM101, TRY301 - what is raised is what is read
    except KeyError:
        OURS.exception("the turn failed")
    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback")
    assert "KeyError: 'lost'" in line["exception"]


def test_fields_of_our_own_are_written_and_those_of_libraries_are_not() -> None:
    """No body of an object gets in by the back door: kopf hangs whole settings on its records."""
    stream = writing()
    OURS.info("decided", extra={"decision": {"reason": "InGracePeriod"}})
    logging.getLogger("kopf.objects").warning("odd", extra={"body": {"password": "hunter2"}})
    ours, theirs = lines(stream)
    assert ours["decision"] == {"reason": "InGracePeriod"}
    assert "hunter2" not in json.dumps(theirs)


def test_a_message_is_cut_where_it_gets_out_of_hand() -> None:
    for as_json in (True, False):
        stream = writing(as_json=as_json)
        OURS.error("x" * 100_000)
        assert len(stream.getvalue()) < logs.LONGEST_MESSAGE + 200


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_below_the_level_is_not_written(*, as_json: bool) -> None:
    stream = writing("warning", as_json=as_json)
    OURS.info("quiet")
    OURS.warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


def test_kopf_is_heard_from_its_warnings_on() -> None:
    stream = writing("debug")
    logging.getLogger("kopf.reactor").info("each event of each object")
    logging.getLogger("kopf.reactor").warning("the watch ended")
    assert [line["message"] for line in lines(stream)] == ["the watch ended"]


def test_what_kopf_warns_of_at_each_start_is_no_news() -> None:
    stream = writing()
    logging.getLogger(RUNNING).warning("OS signals are ignored: running not in the main thread.")
    logging.getLogger(RUNNING).error("it has ended")
    assert [line["message"] for line in lines(stream)] == ["it has ended"]


def test_a_line_of_text_is_for_people() -> None:
    stream = writing(as_json=False)
    OURS.info("%s runs", "the prober")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith("INFO scaleset_operator.test the prober runs")


def test_warnings_of_python_are_lines_too() -> None:
    stream = writing()
    warnings.simplefilter("default")
    warnings.warn("soon to go", DeprecationWarning, stacklevel=1)
    (line,) = lines(stream)
    assert "soon to go" in line["message"]

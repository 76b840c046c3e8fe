"""An event to an audience: where it goes, what comes back, and what nobody ever reads of it."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from datetime import timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from scaleset_operator.adapters.notifications import by_apprise, webhook
from scaleset_operator.adapters.notifications.addressees import addressee
from scaleset_operator.adapters.notifications.by_apprise import body_of, title_of
from scaleset_operator.adapters.notifications.webhook import LONGEST_RETRY_S, seconds
from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Refused, Unavailable
from tests.adapters.notifications.receiver import EVENT, Receiver
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from pathlib import Path

    from scaleset_operator.adapters.notifications.notifier import FileNotifier

# What apprise asks of the standard library is not ours to change.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SECRET = "s3cr3t-t0ken"  # noqa: S105 - looked for in what is told


def reached_at(folder: Path, receiver: Receiver, *, audience: str = "default") -> None:
    (folder / f"{audience}.url").write_text(
        f"http://127.0.0.1:{receiver.port}/hook/x?key={SECRET}\n"
    )


# --- Sent --------------------------------------------------------------------------------------


async def test_a_webhook_gets_the_event_as_one_json_text(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier
) -> None:
    """V-25: CloudEvents in structured mode."""
    reached_at(tmp_path, receiver)
    await notifier.send("default", EVENT)
    assert receiver.events() == [EVENT]
    (request,) = receiver.came
    assert (request.method, request.path_qs) == ("POST", f"/hook/x?key={SECRET}")
    assert request.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert "Authorization" not in request.headers


async def test_a_token_is_shown_and_both_may_change_at_any_time(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier
) -> None:
    """A Secret is rotated while the operator runs."""
    reached_at(tmp_path, receiver)
    for token in ("one", "two"):
        (tmp_path / "default.token").write_text(f"{token}\r\n")
        await notifier.send("default", EVENT)
        assert receiver.came[-1].headers["Authorization"] == f"Bearer {token}"
    (tmp_path / "default.url").write_text(f"http://127.0.0.1:{receiver.port}/elsewhere")
    await notifier.send("default", EVENT)
    assert receiver.came[-1].path == "/elsewhere"


async def test_each_audience_has_its_own_and_one_without_has_the_events_of_the_cluster(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier
) -> None:
    """V-25."""
    reached_at(tmp_path, receiver, audience="shop-team")
    (tmp_path / "default.token").write_text("of nobody")
    await notifier.send("default", EVENT)
    assert receiver.came == []
    await notifier.send("shop-team", EVENT)
    assert len(receiver.came) == 1


async def test_without_a_folder_nothing_is_sent(tmp_path: Path) -> None:
    assert addressee(tmp_path / "none", "default").webhook is None


# --- Answered ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_2xx_is_delivered(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, status: int
) -> None:
    reached_at(tmp_path, receiver)
    receiver.status = status
    await notifier.send("default", EVENT)
    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again_when_the_receiver_says(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, status: int
) -> None:
    """V-24: at least once."""
    reached_at(tmp_path, receiver)
    receiver.status, receiver.headers = status, {"Retry-After": "7"}
    with pytest.raises(Unavailable, match=f"default.url answers {status}") as caught:
        await notifier.send("default", EVENT)
    assert caught.value.retry_after == 7
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 422])
async def test_what_does_not_want_it_is_not_asked_again(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, status: int
) -> None:
    reached_at(tmp_path, receiver)
    receiver.status = status
    with pytest.raises(Refused, match=f"default.url answers {status}") as caught:
        await notifier.send("default", EVENT)
    assert caught.value.reason is Reason.NOTIFICATION_FAILED
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_no_redirect_is_followed(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, status: int
) -> None:
    """Whoever answers must not lead the operator, and the token, to another address."""
    (tmp_path / "default.token").write_text(SECRET)
    reached_at(tmp_path, receiver)
    receiver.status = status
    receiver.headers = {"Location": f"http://127.0.0.1:{receiver.port}/metadata/instance"}
    with pytest.raises(Refused, match="no redirect is followed"):
        await notifier.send("default", EVENT)
    assert [request.path for request in receiver.came] == ["/hook/x"]


async def test_one_that_does_not_answer_in_time_is_tried_again(
    tmp_path: Path, receiver: Receiver
) -> None:
    reached_at(tmp_path, receiver)
    receiver.held = asyncio.Event()
    there = addressee(tmp_path, "default").webhook
    assert there is not None
    with pytest.raises(Unavailable, match=r"has not answered within 0\.1 s") as caught:
        await webhook.post(there, EVENT, T0, within_s=0.1)
    assert SECRET not in str(caught.value)


async def test_one_that_is_not_there_is_tried_again(tmp_path: Path, notifier: FileNotifier) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "default.url").write_text(f"http://127.0.0.1:{port}/?key={SECRET}")
    with pytest.raises(Unavailable, match="cannot be asked: ClientConnector") as caught:
        await notifier.send("default", EVENT)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_one_that_speaks_another_language_is_tried_again(
    tmp_path: Path, notifier: FileNotifier
) -> None:
    async def gibberish(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(gibberish, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        (tmp_path / "default.url").write_text(f"http://127.0.0.1:{port}/")
        with pytest.raises(Unavailable, match=r"default\.url cannot be asked"):
            await notifier.send("default", EVENT)


async def test_nothing_secret_is_logged(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, caplog: pytest.LogCaptureFixture
) -> None:
    reached_at(tmp_path, receiver)
    (tmp_path / "default.token").write_text(SECRET)
    with caplog.at_level(logging.DEBUG):
        await notifier.send("default", EVENT)
        receiver.status = 500
        with pytest.raises(Unavailable):
            await notifier.send("default", EVENT)
    ours = [r for r in caplog.records if r.name.startswith(("scaleset_operator", "aiohttp.client"))]
    assert SECRET not in " ".join(r.getMessage() for r in ours)
    assert SECRET not in repr(addressee(tmp_path, "default"))
    assert SECRET not in repr(addressee(tmp_path, "default").webhook)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("", 0),
        ("0", 0),
        ("120", 120),
        ("999999999999", LONGEST_RETRY_S),
        ("-5", 0),
        ("soon", 0),
        ("²", 0),
        (format_datetime(T0 + timedelta(minutes=5), usegmt=True), 300),
        (format_datetime(T0 - timedelta(minutes=5), usegmt=True), 0),
        (format_datetime(T0 + timedelta(days=5), usegmt=True), LONGEST_RETRY_S),
        ("Sat, 21 Nov 2026 08:05:00 -0000", 0),
    ],
)
def test_when_to_come_again_is_read_in_both_ways_and_bounded(said: str, meant: float) -> None:
    assert seconds(said, T0) == meant


# --- Files -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hooks.example/x",
        "ftp://hooks.example/x",
        "file:///etc/passwd",
        "http:///x",
        "http://",
        "https://me:s3cr3t-t0ken@hooks.example/x",
        "https://me@hooks.example/x",
        "https://hooks.example/x#s3cr3t-t0ken",
        "https://hooks.example/a b",
        "https://hooks.example/x\nhttps://hooks.example/y",
        "https://hooks.example:99999/s3cr3t-t0ken",
        "https://[s3cr3t-t0ken/x",
        "https://hooks.example/ä",
        "https://hooks.example/" + "x" * 2_048,
    ],
)
async def test_an_address_that_cannot_be_used_is_told_by_its_file(
    tmp_path: Path, notifier: FileNotifier, text: str
) -> None:
    """Without its content, and tried again: somebody mends it."""
    (tmp_path / "default.url").write_text(text)
    with pytest.raises(Unavailable) as caught:
        await notifier.send("default", EVENT)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/default.url cannot be used: allowed is one http or https")
    assert SECRET not in said
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("text", ["", "two words", "one\ntwo: x", "t\x00", "tökén"])
async def test_a_token_that_cannot_be_used_is_told_by_its_file(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier, text: str
) -> None:
    """Nothing in it becomes a header of its own."""
    reached_at(tmp_path, receiver)
    (tmp_path / "default.token").write_text(text)
    with pytest.raises(Unavailable, match=r"default\.token cannot be used: allowed is one line"):
        await notifier.send("default", EVENT)
    assert receiver.came == []


@pytest.mark.parametrize("audience", ["../default", "a/b", "", ".", "Default"])
async def test_an_audience_is_a_label_and_no_path(notifier: FileNotifier, audience: str) -> None:
    with pytest.raises(Unavailable, match="allowed is a DNS label"):
        await notifier.send(audience, EVENT)


async def test_files_that_cannot_be_read_are_told(tmp_path: Path, notifier: FileNotifier) -> None:
    (tmp_path / "default.url").mkdir()
    with pytest.raises(Unavailable, match=r"default\.url cannot be read: Is a directory"):
        await notifier.send("default", EVENT)
    (tmp_path / "big.url").write_bytes(b"x" * 20_000)
    with pytest.raises(Unavailable, match="is larger than 16384 bytes"):
        await notifier.send("big", EVENT)
    (tmp_path / "odd.url").write_bytes(b"\xff\xfe")
    with pytest.raises(Unavailable, match="is no text in UTF-8"):
        await notifier.send("odd", EVENT)


# --- apprise -----------------------------------------------------------------------------------


async def test_apprise_tells_people(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier
) -> None:
    """V-25: with the library itself, by one of its many ways."""
    text = f"# the shop team\n\njson://127.0.0.1:{receiver.port}/{SECRET}\n"
    (tmp_path / "default.apprise").write_text(text)
    await notifier.send("default", EVENT)
    (told,) = receiver.events()
    assert told["title"] == "Announced: host-patch-nov"
    assert told["message"] == "window: host-patch-nov\niteration: 1\nurgent: False"


async def test_where_apprise_fails_it_is_tried_again(
    tmp_path: Path, receiver: Receiver, notifier: FileNotifier
) -> None:
    (tmp_path / "default.apprise").write_text(f"json://127.0.0.1:{receiver.port}/{SECRET}")
    receiver.status = 500
    with pytest.raises(
        Unavailable, match=r"apprise could not tell everybody of .*apprise"
    ) as caught:
        await notifier.send("default", EVENT)
    assert SECRET not in str(caught.value)


async def test_apprise_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = asyncio.Event()
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(
        by_apprise,
        "_notify",
        lambda *_: asyncio.run_coroutine_threadsafe(held.wait(), loop).result(5),
    )
    with pytest.raises(Unavailable, match=r"has not told everybody of .* within 0\.1 s"):
        await by_apprise.notify([("json://x", f"{tmp_path}/default.apprise, line 1")], EVENT, 0.1)
    held.set()


async def test_whatever_goes_wrong_in_apprise_is_tried_again(
    tmp_path: Path, notifier: FileNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise LookupError(SECRET)

    monkeypatch.setattr(by_apprise, "_notify", broken)
    (tmp_path / "default.apprise").write_text("json://127.0.0.1/x")
    with pytest.raises(Unavailable, match=r"apprise failed on .*: LookupError") as caught:
        await notifier.send("default", EVENT)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("line", ["nonsense", "nosuchservice://x/y", "json://"])
async def test_a_line_that_apprise_does_not_know_is_told_by_its_number(
    tmp_path: Path, notifier: FileNotifier, line: str
) -> None:
    (tmp_path / "default.apprise").write_text(f"# ours\n{line}\n")
    with pytest.raises(Unavailable, match=r"default\.apprise, line 2 cannot be used: allowed are"):
        await notifier.send("default", EVENT)


async def test_without_apprise_it_is_said_how_to_get_it(
    tmp_path: Path, notifier: FileNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    (tmp_path / "default.apprise").write_text("json://127.0.0.1/x")
    with pytest.raises(Unavailable, match=r"install scaleset-operator\[apprise\]"):
        await notifier.send("default", EVENT)


def test_people_are_told_what_there_is_to_tell() -> None:
    assert title_of({"type": "dev.scaleset.maintenance.Ended"}) == "Ended: "
    assert body_of({"type": "x"}) == ""

"""The client that tests look at API servers with: what it asks again, and what it does not."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.kube_api import Api

if TYPE_CHECKING:
    from collections.abc import Callable

Asking = tuple[Api, list[str]]


class Empty:
    """An answer."""

    def read(self) -> bytes:
        return b'{"items": []}'


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asking]:
    """Makes a client that meets these faults before an answer, and what it has sent."""

    def with_faults(*faults: Exception) -> Asking:
        sent: list[str] = []
        left = [*faults]

        def ask(_api: Api, _connection: object, method: str, *_: Any) -> Empty:
            sent.append(method)
            if left:
                raise left.pop(0)
            return Empty()

        monkeypatch.setattr(Api, "_ask", ask)
        return Api("https://127.0.0.1:1", "token", Path("ca")), sent

    def trusting(**_: object) -> ssl.SSLContext:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", trusting)
    return with_faults


@pytest.mark.parametrize("fault", [TimeoutError, http.client.RemoteDisconnected])
def test_a_read_without_an_answer_is_asked_once_more(
    asking: Callable[..., Asking], fault: type[Exception]
) -> None:
    """A busy API server is late, and a kept connection may have ended; neither fails a test."""
    api, sent = asking(fault())
    assert api.items("/pods") == []
    assert sent == ["GET", "GET"]
    api, sent = asking(fault(), fault())
    with pytest.raises(fault):
        api.items("/pods")
    assert sent == ["GET", "GET"]


def test_a_write_is_never_sent_twice(asking: Callable[..., Asking]) -> None:
    """It may have been carried out."""
    api, sent = asking(TimeoutError())
    with pytest.raises(TimeoutError):
        api.delete("/pods")
    assert sent == ["DELETE"]

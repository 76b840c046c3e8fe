"""Waiting for the CRDs, on a scripted API server over real HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scaleset_operator.adapters import definitions
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.definitions import await_definitions
from tests.adapters.cluster.fake_api import Answer, FakeApi
from tests.adapters.prober.conftest import until

KINDS = ("scalesets", "healthprobes")
NOT_FOUND = Answer(status=404, body={"kind": "Status", "reason": "NotFound", "code": 404})


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeApi]:
    monkeypatch.setattr(definitions, "LOOK_EVERY_S", 0.01)
    api = FakeApi()
    await api.start()
    yield api
    await api.close()


@pytest.fixture
async def connection(api: FakeApi) -> AsyncIterator[Connection]:
    connection = api.connection()
    yield connection
    await connection.close()


def serving(*kinds: str) -> Answer:
    names = [name for kind in kinds for name in (kind, f"{kind}/status")]
    return Answer(body={"kind": "APIResourceList", "resources": [{"name": n} for n in names]})


async def test_it_returns_at_once_when_every_kind_is_served(
    api: FakeApi, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer("GET", serving("scalesets", "healthprobes", "outboundrules"))
    await await_definitions(connection, KINDS)
    assert [request.path for request in api.requests] == ["/apis/scaleset.dev/v1alpha1"]
    assert caplog.text == ""


async def test_it_waits_for_the_definitions_and_says_once_what_is_missing(
    api: FakeApi, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    api.answer(
        "GET", NOT_FOUND, NOT_FOUND, serving("scalesets"), serving("scalesets"), serving(*KINDS)
    )
    await await_definitions(connection, KINDS)
    assert len(api.requests) == 5
    assert [record.message.partition(" yet")[0] for record in caplog.records] == [
        "the API server does not serve healthprobes, scalesets",
        "the API server does not serve healthprobes",
    ]
    assert "kubectl apply --server-side -f crds/" in caplog.text


@pytest.mark.parametrize("status", [403, 429, 500, 503])
async def test_it_waits_for_an_api_server_that_cannot_be_asked(
    api: FakeApi, connection: Connection, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    api.answer("GET", Answer(status=status, headers={"Retry-After": "0"}), serving(*KINDS))
    await asyncio.wait_for(await_definitions(connection, KINDS), 4.0)
    assert "the API server cannot be asked" in caplog.text


async def test_waiting_can_be_cancelled(api: FakeApi, connection: Connection) -> None:
    api.answer("GET", *[NOT_FOUND] * 1_000)
    waiting = asyncio.create_task(await_definitions(connection, KINDS))
    await until(lambda: len(api.requests) >= 3)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

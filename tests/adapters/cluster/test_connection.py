"""The connection: what goes over the wire, which error comes back, and what is kept back."""

from __future__ import annotations

import asyncio
import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.adapters.cluster.credentials import Credentials, UnusableKubeconfigError
from scaleset_operator.adapters.cluster.errors import Unauthorized
from scaleset_operator.adapters.cluster.pacing import START, Urgency
from scaleset_operator.reconciler.ports import Conflict, Gone, TooOld, Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi, until

if TYPE_CHECKING:
    from pathlib import Path

GET = Call(method="GET", path="/thing")


def post(**changes: Any) -> Call:
    return Call(method="POST", path="/things", body={"a": "ä"}, **changes)


async def test_a_request_says_who_we_are_and_what_we_send(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("PATCH", Answer(body={"kind": "Thing"}))
    call = Call(
        method="PATCH",
        path="/things/one",
        query={"labelSelector": "a=b,!c/d", "limit": 5},
        body={"a": "ä"},
        content_type="application/apply-patch+yaml",
    )
    assert await connection.request(call) == {"kind": "Thing"}
    (request,) = api.requests
    assert request.path == "/things/one"
    assert request.query == {"labelSelector": "a=b,!c/d", "limit": "5"}
    assert request.body == {"a": "ä"}
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.headers["Accept"] == "application/json"
    assert request.headers["User-Agent"].startswith("scaleset-operator/")
    assert "Authorization" not in request.headers


@pytest.mark.parametrize(
    ("status", "kind"), [(404, Gone), (409, Conflict), (500, Unavailable), (302, Unavailable)]
)
async def test_an_answer_that_is_no_success_is_an_error(
    api: FakeApi, connection: Connection, status: int, kind: type[Exception]
) -> None:
    api.answer("GET", Answer(status=status, body={"message": "because"}))
    with pytest.raises(kind, match="because"):
        await connection.read(GET)


@pytest.mark.parametrize("body", [b"<html>", b'"text"', b'{"cut":'])
async def test_a_success_that_is_no_object_is_an_error(
    api: FakeApi, connection: Connection, body: bytes
) -> None:
    api.answer("GET", Answer(body=body))
    with pytest.raises(Unavailable):
        await connection.read(GET)


async def test_no_answer_is_unavailable(api: FakeApi, connection: Connection) -> None:
    await api.close()
    with pytest.raises(Unavailable):
        await connection.read(GET)


async def test_a_connection_that_was_closed_is_unavailable(connection: Connection) -> None:
    await connection.close()
    with pytest.raises(Unavailable):
        await connection.read(GET)


async def test_bodies_are_never_logged(
    api: FakeApi, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api.answer("POST", Answer(status=422, body={"message": "s3cret " * 1000}))
    with pytest.raises(Exception, match="s3cret") as refused:
        await connection.write(post(), Urgency.ACT)
    assert len(str(refused.value)) <= 256
    assert "s3cret" not in caplog.text


async def test_an_overload_holds_back_what_comes_next(api: FakeApi, connection: Connection) -> None:
    api.answer("POST", Answer(status=429, headers={"Retry-After": "30"}))
    with pytest.raises(Unavailable) as refused:
        await connection.write(post(), Urgency.ACT)
    assert refused.value.retry_after == 30
    assert connection.limit.limit == START // 2
    with pytest.raises(Unavailable):
        await connection.write(post(), Urgency.ACT)
    with pytest.raises(Unavailable):
        await connection.read(GET)
    assert len(api.requests) == 1


async def test_what_went_stale_while_it_waited_for_a_slot_is_not_sent(
    api: FakeApi, connection: Connection
) -> None:
    """Protocol rule 5."""
    go = asyncio.Event()
    late = False

    def check() -> None:
        if late:
            raise TooOld

    api.answer("POST", *(Answer(wait_for=go) for _ in range(START)))
    ahead = [asyncio.create_task(connection.write(post(), Urgency.ACT)) for _ in range(START)]
    await until(lambda: len(api.requests) == START)
    stale = asyncio.create_task(connection.write(post(check=check), Urgency.ACT))
    await asyncio.sleep(0)
    late = True
    go.set()
    with pytest.raises(TooOld):
        await stale
    await asyncio.gather(*ahead)
    assert len(api.requests) == START


async def test_what_goes_stale_on_the_way_to_the_socket_is_not_sent(
    api: FakeApi, connection: Connection
) -> None:
    """Protocol rule 5: checked right before the bytes go out, once the connection is made."""
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise TooOld

    with pytest.raises(TooOld):
        await connection.write(post(check=check), Urgency.ACT)
    api.answer("POST", Answer())
    await connection.write(post(), Urgency.ACT)
    assert len(api.requests) == 1, "the server has seen the second only"


# --- Credentials ---------------------------------------------------------------------------------


def kubeconfig(path: Path, api: FakeApi, token: str) -> str:
    path.write_text(
        f"""
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: it, user: us}}}}]
clusters: [{{name: it, cluster: {{server: "{api.url}/prefix/"}}}}]
users: [{{name: us, user: {{token: {token}}}}}]
"""
    )
    return str(path)


async def test_a_kubeconfig_gives_the_address_and_the_token(api: FakeApi, tmp_path: Path) -> None:
    connection = await Connection.open(kubeconfig(tmp_path / "config", api, "first"))
    api.answer("GET", Answer())
    await connection.read(GET)
    assert api.requests[0].path == "/prefix/thing"
    assert api.requests[0].headers["Authorization"] == "Bearer first"
    await connection.close()


async def test_the_kubeconfig_of_the_environment_is_taken(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", kubeconfig(tmp_path / "config", api, "first"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    credentials = await Credentials.load()
    assert credentials.server == f"{api.url}/prefix"


async def test_in_a_pod_the_mounted_token_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("mounted")
    (tmp_path / "ca.crt").write_text("certificates")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    loader = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(f"{loader}.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    trusted = ssl.create_default_context()
    monkeypatch.setattr("ssl.create_default_context", lambda **_: trusted)
    credentials = await Credentials.load()
    assert credentials.server == "https://192.0.2.1:443"
    assert await credentials.authorization() == "bearer mounted"
    assert not await credentials.renew(), "the library reads the token anew by itself"


async def test_without_any_configuration_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(UnusableKubeconfigError, match="none: there is no such file"):
        await Credentials.load()


async def test_in_a_pod_without_its_account_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "192.0.2.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    loader = "kubernetes.aio.config.incluster_config"
    monkeypatch.setattr(f"{loader}.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    with pytest.raises(UnusableKubeconfigError, match="the service account that is mounted here"):
        await Credentials.load()


async def test_credentials_that_are_no_longer_accepted_are_loaded_anew(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await Connection.open(kubeconfig(tmp_path / "config", api, "first"))
    monkeypatch.setattr("scaleset_operator.adapters.cluster.credentials.AGAIN_AFTER_S", 0.0)
    kubeconfig(tmp_path / "config", api, "second")
    api.answer("POST", Answer(status=401), Answer(body={"done": True}))
    assert await connection.write(post(), Urgency.ACT) == {"done": True}
    tokens = [request.headers["Authorization"] for request in api.requests]
    assert tokens == ["Bearer first", "Bearer second"]
    await connection.close()


async def test_credentials_are_not_loaded_anew_for_each_refusal(
    api: FakeApi, tmp_path: Path
) -> None:
    connection = await Connection.open(kubeconfig(tmp_path / "config", api, "first"))
    api.answer("GET", Answer(status=401), Answer(status=401))
    for _ in range(2):
        with pytest.raises(Unauthorized):
            await connection.read(GET)
    assert len(api.requests) == 2
    await connection.close()


async def test_credentials_that_cannot_be_loaded_anew_stay(
    api: FakeApi,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = tmp_path / "config"
    connection = await Connection.open(kubeconfig(path, api, "first"))
    monkeypatch.setattr("scaleset_operator.adapters.cluster.credentials.AGAIN_AFTER_S", 0.0)
    path.write_text("{")
    api.answer("GET", Answer(status=401), Answer())
    with pytest.raises(Unauthorized):
        await connection.read(GET)
    assert "could not be renewed" in caplog.text
    await connection.read(GET)
    await connection.close()


async def test_in_a_cluster_there_is_nothing_to_load_anew(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("GET", Answer(status=401))
    with pytest.raises(Unauthorized):
        await connection.read(GET)
    assert len(api.requests) == 1

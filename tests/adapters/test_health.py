"""/healthz and /readyz over real sockets."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from scaleset_operator.adapters.health import HealthServer


class Facts:
    """What holds now."""

    alive = True
    ready = True


@pytest.fixture
def facts() -> Facts:
    return Facts()


@pytest.fixture
async def server(facts: Facts) -> AsyncIterator[HealthServer]:
    server = HealthServer(0, lambda: facts.alive, lambda: facts.ready)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on, in every family there is."""
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))  # noqa: S104 - as the server does
        other.listen()
        yield other.getsockname()[1]


async def ask(server: HealthServer, path: str, *, host: str = "127.0.0.1") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{host}:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_both_pages_say_ok_while_both_hold(server: HealthServer) -> None:
    assert await ask(server, "/healthz") == (200, "ok\n")
    assert await ask(server, "/readyz") == (200, "ok\n")


async def test_an_operator_that_does_not_see_the_cluster_is_alive_and_not_ready(
    server: HealthServer, facts: Facts
) -> None:
    """X-07: the API server being away is no reason to restart."""
    facts.ready = False
    assert await ask(server, "/healthz") == (200, "ok\n")
    assert await ask(server, "/readyz") == (503, "no\n")
    facts.ready = True
    assert await ask(server, "/readyz") == (200, "ok\n")


async def test_an_operator_whose_loop_is_stuck_is_not_alive(
    server: HealthServer, facts: Facts
) -> None:
    facts.alive = False
    assert (await ask(server, "/healthz"))[0] == 503


async def test_there_is_nothing_else(server: HealthServer) -> None:
    assert (await ask(server, "/"))[0] == 404


async def test_a_taken_port_is_given_up_for_a_free_one_that_is_logged(
    taken: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = HealthServer(taken, lambda: True, lambda: True)
    await server.start()
    try:
        assert server.port not in (0, taken)
        assert await ask(server, "/healthz") == (200, "ok\n")
        assert f"port {taken} is taken; health is answered on {server.port}" in caplog.text
    finally:
        await server.close()


async def test_the_port_is_the_same_in_both_families(server: HealthServer) -> None:
    """A free one too: what is logged is where it answers."""
    assert await ask(server, "/healthz") == (200, "ok\n")
    if socket.has_dualstack_ipv6():
        assert await ask(server, "/healthz", host="[::1]") == (200, "ok\n")


async def test_a_machine_without_the_newer_addresses_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def create_server(address: tuple[str, int], **options: object) -> socket.socket:
        if options:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return original(address)

    original = socket.create_server
    monkeypatch.setattr(socket, "create_server", create_server)
    server = HealthServer(0, lambda: True, lambda: True)
    await server.start()
    assert await ask(server, "/healthz") == (200, "ok\n")
    await server.close()


async def test_another_fault_than_a_taken_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def create_server(*_: object, **__: object) -> socket.socket:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "create_server", create_server)
    server = HealthServer(80, lambda: True, lambda: True)
    with pytest.raises(PermissionError):
        await server.start()
    await server.close()


async def test_a_closed_server_answers_no_more(facts: Facts) -> None:
    server = HealthServer(0, lambda: facts.alive, lambda: facts.ready)
    await server.start()
    await server.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", server.port)

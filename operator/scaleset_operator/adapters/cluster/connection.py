"""One shared HTTP connection to the API server: bytes out, JSON in, errors of the ports.

Raw JSON, for the client's typed models cost three times the CPU per call.
Must not know: any one kind of object.
"""

import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp
import orjson
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesPayload
from kubernetes.aio.config import ConfigException
from yarl import URL

from scaleset_operator.adapters.cluster.credentials import Credentials
from scaleset_operator.adapters.cluster.errors import Unauthorized, cut, failure
from scaleset_operator.adapters.cluster.pacing import AdaptiveLimit, Urgency
from scaleset_operator.reconciler.ports import Unavailable

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_S: Final = 70.0
"""A watch without a byte for so long is half open: the API server sends a bookmark each minute."""
MOST_CONNECTIONS: Final = 128
"""Above the writes at once, so that watches and live reads never wait behind them."""
READ_BUFFER: Final = 2**18

JSON: Final = "application/json"
EDIT: Final = "application/json-patch+json"
STRATEGIC_MERGE: Final = "application/strategic-merge-patch+json"
MERGE: Final = "application/merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

Told = Callable[[str, str, float], None]
"""Called with verb, status code (NO_ANSWER where none came) and seconds of each request."""
NO_ANSWER: Final = "none"
_VERBS: Final = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}

_SUCCESS: Final = 2
_OVERLOADED: Final = frozenset({429, 503})


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request.

    Attributes:
        check: called right before the body's bytes go out; what it raises keeps them back.
    """

    method: str
    path: str
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    content_type: str = JSON
    accept: str = JSON
    check: Callable[[], None] | None = None


class Connection:
    """Requests, writes within the adaptive limit, and streams; on one loop.

    Attributes:
        told: of each request that has ended, and of each watch that was accepted or not.
        heard: when a request last ended, well or not, by time.monotonic; None before the first.
        fence: called right before the bytes of anything but a read go out, as a call's own check.
    """

    def __init__(
        self,
        credentials: Credentials,
        limit: AdaptiveLimit | None = None,
        *,
        impersonate: str | None = None,
    ) -> None:
        self.told: Told = lambda _verb, _code, _seconds: None
        self.heard: float | None = None
        self.fence: Callable[[], None] = lambda: None
        self._credentials = credentials
        whom = {"Impersonate-User": impersonate} if impersonate else {}
        self.limit = limit or AdaptiveLimit()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=credentials.trust, limit=MOST_CONNECTIONS),
            headers={"User-Agent": f"scaleset-operator/{_version()}", **whom},
            timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            read_bufsize=READ_BUFFER,
        )

    @classmethod
    async def open(cls, kubeconfig: str | None = None) -> "Connection":
        """Connects as `Credentials.load` says; no request is made yet."""
        return cls(await Credentials.load(kubeconfig))

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._credentials.server

    async def close(self) -> None:
        """Closes every connection; calls on their way end as Unavailable."""
        await self._session.close()

    async def write(self, call: Call, urgency: Urgency) -> dict[str, Any]:
        """Sends a write once it has a slot; raises as `request` does, and TooOld by its check."""
        async with self.limit.slot(urgency):
            if call.check is not None:
                call.check()
            return await self.request(call)

    async def read(self, call: Call) -> dict[str, Any]:
        """Sends a read unless the server wants to be left alone; raises as `request` does."""
        self.limit.check_hold()
        return await self.request(call)

    async def request(self, call: Call) -> dict[str, Any]:
        """Sends one request and gives the object it is answered with.

        Raises:
            Gone: 404. Conflict: 409. Expired: 410. Refused: 400, 403, 413, 422.
            Unavailable: everything else that is not a success, and no answer at all.
        """
        try:
            return await self._once(call)
        except Unauthorized:
            if not await self._renewed():
                raise
        return await self._once(call)

    async def date(self) -> str:
        """The Date header of an answer, whatever the answer; Unavailable where there is none."""
        call = Call(method="GET", path="/version")
        with _weather():
            async with self._session.request(
                call.method, self._url(call), **await self._settings(call)
            ) as response:
                return response.headers.get("Date", "")

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str | int]
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Opens a watch; entered once the API server has accepted it.

        Raises:
            As `request`; silence for longer than SILENCE_S ends the chunks with Unavailable.
        """
        timeout = aiohttp.ClientTimeout(sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_S)
        call = Call(method="GET", path=path, query=query)
        with _weather():
            with self._timed("watch") as answer:
                response = await self._session.request(
                    "GET", self._url(call), timeout=timeout, **await self._settings(call)
                )
                answer.append(response.status)
            async with response:
                await self._raise_unless_fine(response)
                yield response.content.iter_any()

    async def _once(self, call: Call) -> dict[str, Any]:
        body = None if call.body is None else _Body(call, self.fence)
        if call.method != "GET":
            self.fence()
        try:
            with _weather(), self._timed(_verb(call)) as answer:
                async with self._session.request(
                    call.method, self._url(call), data=body, **await self._settings(call)
                ) as response:
                    answer.append(response.status)
                    await self._raise_unless_fine(response)
                    return _object(await response.read())
        except Unavailable:
            if body is not None and body.kept_back is not None:
                raise body.kept_back from None
            raise

    @contextmanager
    def _timed(self, verb: str) -> Iterator[list[int]]:
        """Tells of one request; the block puts in the status once it knows."""
        begun = time.monotonic()
        answer: list[int] = []
        try:
            yield answer
        finally:
            self.heard = time.monotonic()
            code = str(answer[0]) if answer else NO_ANSWER
            self.told(verb, code, self.heard - begun)

    async def _raise_unless_fine(self, response: aiohttp.ClientResponse) -> None:
        if response.status // 100 == _SUCCESS:
            return
        fault = failure(response.status, response.headers.get("Retry-After"), await response.read())
        if response.status in _OVERLOADED and type(fault) is Unavailable:
            self.limit.overloaded(fault.retry_after)
        raise fault

    async def _settings(self, call: Call) -> dict[str, Any]:
        if self._session.closed:
            message = "the connection was closed"
            raise Unavailable(message)
        headers = {"Accept": call.accept, "Accept-Encoding": "identity"}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        authorization = await self._credentials.authorization()
        if authorization:
            headers["Authorization"] = authorization
        return {
            "headers": headers,
            "proxy": self._credentials.proxy,
            "server_hostname": self._credentials.server_name,
            "allow_redirects": False,
        }

    def _url(self, call: Call) -> URL:
        query = f"?{urlencode(call.query)}" if call.query else ""
        return URL(f"{self._credentials.server}{call.path}{query}", encoded=True)

    async def _renewed(self) -> bool:
        try:
            return await self._credentials.renew()
        except Exception as fault:  # noqa: BLE001 - plugins of any make may fail in any way
            log.warning("The credentials could not be renewed: %s", cut(str(fault)))
            return False


class _Body(BytesPayload):
    """The JSON of a call, kept back when its check objects as the bytes are about to go out.

    The headers may be gone by then; a request without its body is one the server never acts on.
    """

    def __init__(self, call: Call, fence: Callable[[], None]) -> None:
        super().__init__(orjson.dumps(call.body), content_type=call.content_type)
        self._checks = [fence] if call.check is None else [fence, call.check]
        self.kept_back: Exception | None = None

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        try:
            for check in self._checks:
                check()
        except Exception as objection:
            self.kept_back = objection
            raise
        await super().write_with_length(writer, content_length)


@contextmanager
def _weather() -> Iterator[None]:
    """Everything that can go wrong on the way becomes Unavailable."""
    try:
        yield
    except (aiohttp.ClientError, OSError, ConfigException) as fault:
        raise Unavailable(cut(f"{type(fault).__name__}: {fault}")) from fault


def _verb(call: Call) -> str:
    """The verb as Kubernetes names it; every list of ours asks for pages."""
    if call.method == "GET" and call.query and "limit" in call.query:
        return "list"
    return _VERBS.get(call.method, call.method.lower())


def _object(payload: bytes) -> dict[str, Any]:
    collecting = gc.isenabled()
    gc.disable()  # JSON has no cycles: on a long list collections took two thirds of the time.
    try:
        answer = orjson.loads(payload)
    except orjson.JSONDecodeError as fault:
        message = f"the API server's answer is not JSON: {cut(payload.decode(errors='replace'))}"
        raise Unavailable(message) from fault
    finally:
        if collecting:
            gc.enable()
    if not isinstance(answer, dict):
        message = "the API server's answer is not an object"
        raise Unavailable(message)
    return answer


def _version() -> str:
    try:
        return version("scaleset-operator")
    except PackageNotFoundError:  # Run from a source tree that is not installed.
        return "0"

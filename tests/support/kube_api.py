"""The Kubernetes API for tests: raw JSON over one connection, with the standard library alone.

It imports nothing of the operator, so that what it shows is the API server's word. One object
serves one thread; `another` gives a second. It must not know what a test is about.
"""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode, urlsplit

GROUP_PATH: Final = "/apis/scaleset.dev/v1alpha1"
PLURALS: Final = {
    "ScaleSet": "scalesets",
    "HealthProbe": "healthprobes",
    "MaintenanceWindow": "maintenancewindows",
    "OutboundRule": "outboundrules",
    "Pod": "pods",
    "Event": "events",
    "ResourceQuota": "resourcequotas",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
FOREIGN: Final = {"PodDisruptionBudget": "/apis/policy/v1"}
CORE: Final = frozenset({"Pod", "Event", "ResourceQuota"})
TIMEOUT_S: Final = 15.0
BUSY_S: Final = 15.0
"""For so long a server that says 429 is asked again: it does so while it begins to serve a kind."""
AGAIN_S: Final = 0.2
NOT_FOUND: Final = 404
TOO_MANY: Final = 429

MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"

Json = dict[str, Any]


class ApiError(Exception):
    """The API server said no.

    Attributes:
        status: the HTTP code.
        reason: the API's own word, such as AlreadyExists.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


def path_of(kind: str, namespace: str = "", name: str = "", part: str = "") -> str:
    """The path of a collection, an object, or its subresource; without a namespace, of all."""
    root = "/api/v1" if kind in CORE else FOREIGN.get(kind, GROUP_PATH)
    scope = f"/namespaces/{namespace}" if namespace else ""
    tail = "".join(f"/{piece}" for piece in (name, part) if piece)
    return f"{root}{scope}/{PLURALS[kind]}{tail}"


class Api:
    """One identity's connection to one API server."""

    def __init__(self, server: str, token: str, ca_file: Path) -> None:
        """Opens nothing yet.

        Args:
            server: https URL.
            token: bearer token.
            ca_file: certificates that vouch for the server, in PEM.
        """
        self._settings = (server, token, ca_file)
        self._token = token
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._address = urlsplit(server)
        self._connection = self._connect(TIMEOUT_S)
        self._watching: http.client.HTTPSConnection | None = None

    def another(self) -> "Api":
        """The same, for another thread."""
        return Api(*self._settings)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self, path: str, **query: str | int) -> Json:
        """Read an object or a collection; ApiError."""
        return self._request("GET", path, query=query)

    def find(self, path: str) -> Json | None:
        """Read an object; None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def items(self, path: str, **query: str | int) -> list[Json]:
        """The objects of a collection."""
        found: list[Json] = self.get(path, **query)["items"]
        return found

    def create(self, path: str, body: Json, **query: str | int) -> Json:
        """Create an object in a collection; ApiError."""
        return self._request("POST", path, body, query=query)

    def merge(self, path: str, body: Json) -> Json:
        """Apply a JSON merge patch; ApiError."""
        return self._request("PATCH", path, body, content=MERGE)

    def strategic(self, path: str, body: Json) -> Json:
        """Apply a strategic merge patch; ApiError."""
        return self._request("PATCH", path, body, content=STRATEGIC)

    def apply(self, path: str, body: Json, *, manager: str) -> Json:
        """Server-side apply, forced, by this manager; ApiError."""
        query = {"fieldManager": manager, "force": "true"}
        return self._request("PATCH", path, body, content=APPLY, query=query)

    def delete(self, path: str, **query: str | int) -> Json | None:
        """Delete an object; None when there was none; ApiError."""
        try:
            return self._request("DELETE", path, query=query)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def watch(self, path: str, version: str, *, seconds: int = 300) -> Iterator[Json]:
        """The events of a collection from a version on, until the server ends the stream.

        Raises:
            ApiError: 410 when the version is too old, in the answer or in the stream.
            OSError, http.client.HTTPException: the connection is gone.
        """
        query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
        }
        self._watching = connection = self._connect(seconds + TIMEOUT_S)
        try:
            answer = self._ask(connection, "GET", f"{path}?{urlencode(query)}")
            for line in answer:
                event: Json = json.loads(line)
                if event["type"] == "ERROR":
                    fault = event["object"]
                    raise ApiError(fault["code"], fault.get("reason", ""), fault["message"])
                yield event
        finally:
            connection.close()

    def hang_up(self) -> None:
        """End the watch that another thread sits in; it sees the end of its stream."""
        sock = self._watching.sock if self._watching is not None else None
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, timeout: float) -> http.client.HTTPSConnection:
        host, port = self._address.hostname, self._address.port
        assert host is not None, f"no host in {self._address}"
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._context)

    def _request(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        *,
        content: str = "application/json",
        query: Mapping[str, str | int] | None = None,
    ) -> Json:
        target = f"{path}?{urlencode(query)}" if query else path
        deadline = time.monotonic() + BUSY_S
        asked_anew = False
        while True:
            try:
                answer = self._ask(self._connection, method, target, body, content)
                data: Json = json.loads(answer.read())
            except ApiError as error:
                if error.status != TOO_MANY or time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)
            except (http.client.RemoteDisconnected, TimeoutError):
                self._connection.close()
                if method != "GET" or asked_anew:
                    raise
                # A kept connection may have ended while nobody looked, and a disk may be busy.
                asked_anew = True
            except (OSError, http.client.HTTPException):
                self._connection.close()  # The next request opens a new one.
                raise
            else:
                return data

    def _ask(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        target: str,
        body: Json | None = None,
        content: str = "application/json",
    ) -> http.client.HTTPResponse:
        headers = {"Authorization": f"Bearer {self._token}", "User-Agent": "scaleset-tests"}
        if body is not None:
            headers["Content-Type"] = content
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status >= http.client.BAD_REQUEST:
            text = answer.read()
            said: Json = {}
            with suppress(ValueError):
                said = json.loads(text)
            message = said.get("message", text.decode(errors="replace"))
            raise ApiError(answer.status, said.get("reason", ""), message)
        return answer

"""An API server that knows objects by path: lists them, streams their changes, takes Leases.

For a process that can be reached by nothing but a socket of the test's. Must not know what is in an
object, or who asks.
"""

from __future__ import annotations

import json
import queue
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    import socket

Json = dict[str, Any]
LOOK_EVERY_S: Final = 0.1


class WatchedObjects:
    """The server; it serves on a listening socket that it is given.

    Attributes:
        leases: path -> Lease as it was last written.
        asked: every query of a list.
    """

    def __init__(self, collections: tuple[str, ...], listening: socket.socket) -> None:
        self.leases: dict[str, Json] = {}
        self.asked: list[str] = []
        self._objects: dict[str, dict[str, Json]] = {path: {} for path in collections}
        self._version = 1
        self._watches: list[tuple[str, queue.Queue[Json]]] = []
        self._closed = threading.Event()
        self._server = _server(self, listening)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def put(self, path: str, obj: Json) -> None:
        """An object is made or changed."""
        self._version += 1
        obj["metadata"]["resourceVersion"] = str(self._version)
        kind = "MODIFIED" if obj["metadata"]["name"] in self._objects[path] else "ADDED"
        self._objects[path][obj["metadata"]["name"]] = obj
        self._tell(path, {"type": kind, "object": obj})

    def close(self) -> None:
        """Is away from now on."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- What requests come to ---------------------------------------------------------------

    def listed(self, path: str, query: str) -> Json | None:
        """The answer to a list; None for a path that it does not know."""
        if path not in self._objects:
            return None
        self.asked.append(query)
        meta = {"resourceVersion": str(self._version)}
        return {"metadata": meta, "items": [*self._objects[path].values()]}

    def events(self, path: str) -> queue.Queue[Json]:
        """What happens from now on."""
        told: queue.Queue[Json] = queue.Queue()
        self._watches.append((path, told))
        return told

    def is_closed(self) -> bool:
        """Whether watches are to end."""
        return self._closed.is_set()

    def _tell(self, path: str, event: Json) -> None:
        for watched, told in self._watches:
            if watched == path:
                told.put(event)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects: WatchedObjects

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if "watch" in parse_qs(asked.query):
            self._stream(self.objects.events(asked.path))
        else:
            found = self.objects.listed(asked.path, asked.query)
            self._answer(404 if found is None else 200, found or {"kind": "Status"})

    def do_PATCH(self) -> None:
        body = self._body()
        if self.path in self.objects.leases:
            self.objects.leases[self.path] = body
            self._answer(200, body)
        else:
            self._answer(404, {"kind": "Status", "reason": "NotFound"})

    def do_POST(self) -> None:
        body = self._body()
        self.objects.leases[f"{self.path}/{body['metadata']['name']}"] = body
        self._answer(201, body)

    def _body(self) -> Json:
        read: Json = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return read

    def _answer(self, status: int, body: Json) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def _stream(self, told: queue.Queue[Json]) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        with suppress(OSError):  # The other side may go at any time.
            while not self.objects.is_closed():
                with suppress(queue.Empty):
                    line = json.dumps(told.get(timeout=LOOK_EVERY_S)).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
                    self.wfile.flush()
        self.close_connection = True


def _server(objects: WatchedObjects, listening: socket.socket) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"objects": objects})
    server = ThreadingHTTPServer(("", 0), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.daemon_threads = True
    return server

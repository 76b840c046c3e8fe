"""Small servers that misbehave on purpose, each on an address of its own.

A behaviour is a function that is given one accepted connection in a thread of its own. Must not
know the prober.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Final

Behaviour = Callable[["Server", socket.socket], None]

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Server:
    """Accepts on a port of its own until `close`.

    Attributes:
        requests: what each connection sent first, in order.
        endings: how the other side ended each connection: "fin" or "reset".
        begun: connections accepted.
        over: set by `close`; a behaviour that hangs waits for it.
    """

    def __init__(self, behaviour: Behaviour, ip: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        self._listener = socket.create_server((ip, 0), family=family)
        self.ip = ip
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.endings: list[str] = []
        self.begun = 0
        self.over = threading.Event()
        self._behaviour = behaviour
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                if self.over.is_set():
                    connection.close()
                    return
                self.begun += 1
                self._connections.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(3)
            self._behaviour(self, connection)

    def close(self) -> None:
        """Ends every thread and the port."""
        self.over.set()
        with contextlib.suppress(OSError):
            socket.create_connection((self.ip, self.port), timeout=1).close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def read_request(self, connection: socket.socket) -> None:
        """Reads one request and keeps it."""
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            piece = connection.recv(4096)
            if not piece:
                break
            data += piece
        self.requests.append(data)

    def watch_the_end(self, connection: socket.socket) -> None:
        """Waits until the other side has gone, and notes how."""
        try:
            while connection.recv(4096):
                pass
            self.endings.append("fin")
        except ConnectionResetError:
            self.endings.append("reset")


def answering(*pieces: bytes) -> Behaviour:
    """Reads a request, sends the pieces one packet each, and leaves the closing to the other."""

    def behave(server: Server, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.read_request(connection)
        for piece in pieces:
            connection.sendall(piece)
            # Not a wait for anything: it parts the pieces.
            server.over.wait(0.005)
        server.watch_the_end(connection)

    return behave


def held_back(gate: threading.Event, sent: threading.Event) -> Behaviour:
    """Reads a request, waits for the gate, answers, and says so."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        gate.wait(4)
        connection.sendall(OK)
        sent.set()
        server.watch_the_end(connection)

    return behave


def with_status(status: str, *headers: str) -> Behaviour:
    """Answers with a status line, headers, and no body."""
    lines = [f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "Connection: close", "", ""]
    return answering("\r\n".join(lines).encode())


def hanging(server: Server, connection: socket.socket) -> None:
    """Reads the request and never answers."""
    server.read_request(connection)
    server.watch_the_end(connection)


def accepting(server: Server, connection: socket.socket) -> None:
    """Takes the connection, and says nothing."""
    server.watch_the_end(connection)


def closing(server: Server, connection: socket.socket) -> None:
    """Reads the request, then closes in an orderly way."""
    server.read_request(connection)


def resetting(server: Server, connection: socket.socket) -> None:
    """Reads the request, then resets."""
    server.read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)


@contextlib.contextmanager
def refusing_port(ip: str = "127.0.0.1") -> Iterator[int]:
    """A port that nobody else takes and where nobody listens."""
    with socket.socket() as held:
        held.bind((ip, 0))
        yield held.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port whose queue is full: the handshake is never acknowledged."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]

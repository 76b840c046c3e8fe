"""A server outside the cluster that tells each flow where it sees it come from.

A program of its own, with nothing but the standard library: it runs in a container. A flow of TCP
is told `address port` in one line, and then a dot every fifth of a second for as long as it lives;
a datagram is answered with the same line. Must not know who comes, or from where.
"""

from __future__ import annotations

import socketserver
import sys
import threading
import time

EVERY_S = 0.2


class Stream(socketserver.BaseRequestHandler):
    """One flow of TCP."""

    def handle(self) -> None:
        """Tells it, and goes on until it is closed."""
        self.request.sendall(line(self.client_address))
        try:
            while True:
                time.sleep(EVERY_S)
                self.request.sendall(b".\n")
        except OSError:
            return


class Datagram(socketserver.BaseRequestHandler):
    """One datagram."""

    def handle(self) -> None:
        """Answers it."""
        _, channel = self.request
        channel.sendto(line(self.client_address), self.client_address)


class Streams(socketserver.ThreadingTCPServer):
    """All flows of TCP at once."""

    daemon_threads = True
    request_queue_size = 64


def line(address: tuple[str, int]) -> bytes:
    """Where somebody is seen to come from."""
    return f"{address[0]} {address[1]}\n".encode()


def main(port: int) -> None:
    """Serves both protocols on all addresses until it is killed."""
    datagrams = socketserver.UDPServer(("", port), Datagram)
    threading.Thread(target=datagrams.serve_forever, daemon=True).start()
    Streams(("", port), Stream).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))

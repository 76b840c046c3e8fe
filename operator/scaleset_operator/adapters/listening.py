"""A port to be asked on. Must not know: what is served there."""

import errno
import socket


class CannotListenError(Exception):
    """The address or port cannot be had; the message says which and why."""


def listening_socket(address: str, port: int) -> socket.socket:
    """One socket for both families of addresses: of two, each would get a free port of its own.

    Args:
        address: an IP literal; empty for all addresses.
        port: 0 for any free one.

    Raises:
        OSError: it cannot be had.
    """
    if address:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return socket.create_server((address, port), family=family)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as fault:
            if fault.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
    return socket.create_server(("", port))

"""Where the API server is, and where this machine or pod is reached.

Must not know: what is asked or answered there.
"""

import asyncio
import socket
from urllib.parse import urlsplit


async def address_of(server: str) -> tuple[str, int]:
    """The address and port behind a URL, the first where there are several."""
    parts = urlsplit(server)
    loop = asyncio.get_running_loop()
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return str(found[0][4][0]), port


def own_address(given: str, port: int, towards: tuple[str, int]) -> str:
    """Where others reach what is served here, `ip:port`.

    Args:
        given: the address it is bound to; empty for all.
        port: on which.
        towards: an address whose way out is ours; nothing is sent to it.
    """
    ip = given
    if not ip:
        family = socket.AF_INET6 if ":" in towards[0] else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect(towards)
            ip = way.getsockname()[0]
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

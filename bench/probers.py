"""The probers that are compared, as processes: ours, a kubelet-style one in Go, and aiohttp's.

It knows how each is started; it must not know what is measured on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from localcluster.responder.client import Responder

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = "ours"
GO = "go"
AIOHTTP = "aiohttp"

FIRST_ADDRESS = "127.64.0.1"
"""Outside of every local cluster's block."""

_HERE = Path(__file__).resolve().parent
_START_SECONDS = 10.0


def go_prober() -> Path:
    """Build the Go prober, unless this source was built before, and give its path."""
    source = _HERE / "goprober"
    said = subprocess.run(["go", "version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(said + (source / "main.go").read_bytes()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = cache / "scaleset-operator" / "bench" / f"goprober-{digest}"
    if not binary.exists():
        binary.parent.mkdir(parents=True, exist_ok=True)
        draft = binary.with_suffix(f".{os.getpid()}")
        subprocess.run(["go", "build", "-o", str(draft), "."], cwd=source, check=True)
        draft.replace(binary)
    return binary


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one, for all processes started later."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def running(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process that is ended when the block is left."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def prober(kind: str, *, count: int, port: int, interval: float) -> list[str]:
    """Give the command line of a prober of `count` addresses from FIRST_ADDRESS on."""
    plain = [FIRST_ADDRESS, str(count), str(port), str(interval)]
    if kind == OURS:
        return [sys.executable, str(_HERE / "peers" / "our_prober.py"), *plain]
    if kind == AIOHTTP:
        return [sys.executable, str(_HERE / "peers" / "aiohttp_prober.py"), *plain]
    return [
        *(str(go_prober()), "-first", FIRST_ADDRESS, "-count", str(count)),
        *("-port", str(port), "-interval", f"{interval}s"),
    ]


@contextlib.contextmanager
def responder() -> Iterator[Responder]:
    """Run the process that answers at every address."""
    with contextlib.ExitStack() as closing:
        folder = closing.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        control = Path(folder) / "responder.sock"
        module = [sys.executable, "-m", "localcluster.responder"]
        closing.enter_context(running([*module, "--control", str(control), "--prefer", "8080"]))
        client = Responder(control)
        closing.callback(client.close)
        deadline = time.monotonic() + _START_SECONDS
        while not client.is_up():
            if time.monotonic() > deadline:
                message = "the responder did not start"
                raise TimeoutError(message)
            time.sleep(0.05)
        yield client

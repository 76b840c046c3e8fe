"""kopf in a thread and a loop of its own, started again when it ends.

It ends on API weather that its back-offs do not outlast; probing and the pod cache must not end
with it. What it hears is handed to the operator's own loop.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import kopf

from scaleset_operator.handlers.watching import Heard, registry, settings

FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
IDENTITY: Final[Any] = "scaleset-operator"
"""kopf's word for a peer among peers, of which there are none. Left to itself it asks who runs this
process, and fails where nobody has a name for that user, as in a container."""
_log = logging.getLogger(__name__)


class CustomResourceWatch:
    """Watches the custom resources until it is stopped."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        heard: Heard,
        namespaces: tuple[str, ...],
        *,
        began: Callable[[], object] = lambda: None,
    ) -> None:
        """Prepares it.

        Args:
            loop: the operator's own, on which all is heard.
            heard: takes every event.
            namespaces: those watched; none for all.
            began: called whenever the watching begins, again too: deletions may have been missed.
        """
        self._loop = loop
        self._heard = heard
        self._namespaces = namespaces
        self._began = began
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kopf", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float = 20.0) -> None:
        """End the watching; returns when it has ended, or after `timeout` seconds."""
        self._stop.set()
        self._thread.join(timeout)

    def _hand_over(self, kind: str, gone: bool, body: Mapping[str, Any]) -> None:  # noqa: FBT001 - shape of Heard
        self._loop.call_soon_threadsafe(self._heard, kind, gone, body)

    def _serve(self) -> None:
        wait = 0.0
        while not self._stop.is_set():
            began = time.monotonic()
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(self._watch())
            except Exception:  # noqa: BLE001 - whatever ends kopf, the watching begins again
                _log.exception("the watch of the custom resources ended")
            finally:
                loop.close()
            wait = next_wait(wait, time.monotonic() - began)
            if self._stop.wait(wait):
                return
            _log.warning("the custom resources are watched again, after %.0f s", wait)

    async def _watch(self) -> None:
        self._loop.call_soon_threadsafe(self._began)
        await kopf.operator(
            registry=registry(self._hand_over),
            settings=settings(),
            identity=IDENTITY,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=self._stop,
        )


def next_wait(wait: float, lasted: float) -> float:
    """Seconds to wait after a run that lasted so long, where the wait before it was `wait`."""
    return FIRST_WAIT if lasted > LONGEST_WAIT else min(max(FIRST_WAIT, 2 * wait), LONGEST_WAIT)

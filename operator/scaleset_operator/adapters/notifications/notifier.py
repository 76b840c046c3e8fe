"""The port `Notifier`: an event to one audience, wherever it is reached.

Must not know: what an event says, or when it is sent again.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from scaleset_operator.adapters.notifications import by_apprise, webhook
from scaleset_operator.adapters.notifications.addressees import addressee


class FileNotifier:
    """Reads at each sending where an audience is reached, so that a change of the Secret counts."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        """Prepares it.

        Args:
            folder: with the files of all audiences; need not be there.
            now: the operator's clock.
        """
        self._folder = folder
        self._now = now

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """Send an event to an audience; one that is reached nowhere has the Events of the cluster.

        Where it is reached in two ways and one fails, both are tried again: the id of the event
        stays, so that a receiver can tell.

        Raises:
            Unavailable: not now.
            Refused: it does not want it.
        """
        found = addressee(self._folder, audience)
        if found.webhook is not None:
            await webhook.post(found.webhook, event, self._now())
        if found.apprise:
            await by_apprise.notify(found.apprise, event)


class Nobody:
    """Where no folder says where anybody is reached: the Events of the cluster are all there is."""

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """See the port."""

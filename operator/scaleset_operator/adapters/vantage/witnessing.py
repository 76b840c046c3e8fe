"""The standby's side: answers what its own prober has heard, and nothing that was not asked.

Called on the thread of the pages: it only reads single values.
Must not know: who asks, or what follows.
"""

from collections.abc import Callable
from typing import Final

from scaleset_operator.adapters.vantage.exchange import Asked, Secret, answer, read_question

OLDEST_S: Final = 600.0
"""Older than the longest timeout of a probe: of no use to anybody."""
_NS: Final = 1_000_000_000

Heard = Callable[[Asked], int | None]
"""When that pod last answered there under those rules, by CLOCK_BOOTTIME; None for never."""


class Witnessing:
    """Answers questions."""

    def __init__(self, secret: Secret, heard: Heard, boottime_ns: Callable[[], int]) -> None:
        self._secret = secret
        self._heard = heard
        self._now = boottime_ns

    def answer(self, body: bytes) -> bytes | None:
        """The sealed answer to a sealed question; None for anything else."""
        secret = self._secret.value()
        found = None if secret is None else read_question(secret, body)
        if secret is None or found is None:
            return None
        nonce, asked = found
        now = self._now()
        times = ((one.pod_uid, self._heard(one)) for one in asked)
        ages = {uid: max(0.0, (now - at) / _NS) for uid, at in times if at is not None}
        return answer(secret, nonce, {uid: age for uid, age in ages.items() if age <= OLDEST_S})

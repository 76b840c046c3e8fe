"""The orders the responder takes: one JSON object a line, one line back. No sockets here."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from localcluster.responder.scripts import Script, ScriptTable

if TYPE_CHECKING:
    from collections.abc import Callable


class Control:
    """Scripts, hits and the journal, as the answering side and the orders share them."""

    def __init__(self) -> None:
        self.port = 0
        self.table = ScriptTable()
        self.hits: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        """Connections and requests by address."""
        self._journal: list[tuple[int, str, str | None, float, float]] = []
        self._verbs: dict[str, Callable[..., Any]] = {
            "port": lambda: self.port,
            "set": self._set,
            "clear": self._clear,
            "hits": lambda: self.hits,
            "reset_hits": self.hits.clear,
            "journal": self._since,
        }

    def carry_out(self, line: bytes) -> bytes:
        """Carry out one order and give the answer line: `{"result": ...}` or `{"error": ...}`."""
        try:
            order = json.loads(line)
            result = self._verbs[order.pop("do")](**order)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return json.dumps({"error": f"{type(error).__name__}: {error}"}).encode() + b"\n"
        return json.dumps({"result": result}).encode() + b"\n"

    def _set(self, scripts: dict[str, str]) -> None:
        parsed = {target: Script.parse(text) for target, text in scripts.items()}
        for target in parsed:
            ScriptTable().set(target, None)  # refuses a malformed target before any is set
        for target, script in parsed.items():
            self.table.set(target, script)
            self._note(target, scripts[target])

    def _clear(self, targets: list[str]) -> None:
        for target in targets or [*self.table.targets(), "default"]:
            self.table.set(target, None)
            self._note(target, None)

    def _note(self, target: str, script: str | None) -> None:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._journal.append((len(self._journal) + 1, target, script, time.monotonic(), now))

    def _since(self, since: int) -> list[Any]:
        return self._journal[since:]

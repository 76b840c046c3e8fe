"""The narrator: says each change of the set and of its instances' health as it comes.

Must not know: what was broken, or what is waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.screen import Style
from demo.telling import changes

if TYPE_CHECKING:
    from demo.books import Life
    from demo.stage import Stage


class Narrator:
    """Speaks from its making on, about what is new since then, until it is silenced."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._told = dict(stage.status)
        self._unhealthy: set[float] = set()
        stage.on_pod, stage.on_set = self.tell_pod, self.tell_set

    def silence(self) -> None:
        """Say nothing more."""
        self._stage.on_pod, self._stage.on_set = (lambda _: None), (lambda: None)

    def tell_pod(self, life: Life) -> None:
        """Say that an instance turned Unhealthy, and by what evidence."""
        if not life.live or life.unhealthy is None or life.unhealthy in self._unhealthy:
            return
        self._unhealthy.add(life.unhealthy)
        self._stage.screen.line(
            f"{life.name} is Unhealthy, {life.health_reason}: {life.health_message}", Style.BAD
        )

    def tell_set(self) -> None:
        """Say what was decided, begun and ended."""
        before, self._told = self._told, self._stage.status
        for sentence in changes(before, self._told, self._stage.moment):
            self._stage.screen.line(sentence.text, sentence.style)

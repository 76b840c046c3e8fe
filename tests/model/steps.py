"""One thing that happens, and how it is told. It must not know what may happen when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scaleset_operator.core.plan import Action
    from tests.model.states import Operator, State


class Sent(NamedTuple):
    """An act as it reached the API server, for the invariants.

    Attributes:
        before: the cluster just before.
        operator: who sent it, as it stood.
        accepted: whether the API server did it.
    """

    act: Action
    before: State
    operator: Operator
    accepted: bool


class Move(NamedTuple):
    """One thing that happened.

    Attributes:
        word: what it is.
        after: the state that it leads to.
        what: the names that it is about.
        who: number of the operator that does it; None where none does.
        sent: the act that reached the API server, if this is one.
        kind: of trouble that it is, if it is one.
    """

    word: str
    after: State
    what: tuple[str, ...] = ()
    who: int | None = None
    sent: Sent | None = None
    kind: str = ""

    @property
    def step(self) -> Step:
        """What of it is kept for the way there."""
        return Step(self.word, self.what, self.who)


class Step(NamedTuple):
    """A move without what it led to."""

    word: str
    what: tuple[str, ...]
    who: int | None

    def __str__(self) -> str:
        """As a line of a story."""
        names = ", ".join(self.what)
        return (
            f"{names} {self.word}"
            if self.who is None
            else f"operator {self.who} {self.word} {names}".rstrip()
        )

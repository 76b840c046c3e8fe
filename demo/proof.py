"""What must have held, asked of the demo's own books.

Must not know: the operator's status; a promise is not proved by who gave it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from demo.acts import GRACE_S, REPLICAS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.books import Books
    from demo.breaking import Breakage

CAP: Final = 2
"""5 % of 40."""


class Claim(NamedTuple):
    """One thing that must have held."""

    text: str
    held: bool


def claims(books: Books, broken: Breakage, *, untouched_in_silence: bool) -> Iterator[Claim]:
    """Everything the demo shows, each as one claim."""
    most = books.most_in_flight
    yield Claim(
        f"at no moment more than {CAP} of {REPLICAS} under repair (most seen: {most})",
        0 < most <= CAP,
    )
    chosen = sorted(victim.life.name for victim in broken.victims)
    deleted = sorted(life.name for life in books.deleted)
    extra = sorted(set(deleted) - set(chosen))
    yield Claim(
        f"deleted: the {len(chosen)} broken instances, each once, and no other"
        + (f", yet also {', '.join(extra)}" if extra else ""),
        deleted == chosen,
    )
    shortest = min((life.lived for life in books.deleted if life.lived), default=timedelta())
    yield Claim(
        f"none deleted within its grace of {GRACE_S:.0f} s"
        f" (the youngest was {shortest.total_seconds():.0f} s old)",
        shortest >= timedelta(seconds=GRACE_S),
    )
    yield Claim("each has one successor, and it was Healthy", broken.is_mended())
    yield Claim(
        f"while all {REPLICAS} were silent: nothing deleted, all kept in rotation",
        untouched_in_silence,
    )
    yield Claim(
        f"in the end {books.healthy} of {REPLICAS} are Healthy, {books.ready} Ready",
        books.healthy == books.ready == REPLICAS,
    )

"""The sums that a heartbeat carries: how many attempts ended how, and how long they took.

Must not import anything outside the standard library: the child loads it.
"""

import struct
from typing import Final, NamedTuple, Self

RESULTS: Final = 7
"""As many as there are codes in `wire`, which imports this."""

DURATION_BOUNDS_NS: Final = tuple(
    round(seconds * 1_000_000_000)
    for seconds in (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
)
"""Upper bounds of the durations that attempts are counted by."""

DURATIONS: Final = len(DURATION_BOUNDS_NS) + 1
_LAYOUT: Final = struct.Struct(f"<{RESULTS + DURATIONS + 1}q")


class Counts(NamedTuple):
    """Attempts on targets that ended since the process began, references left out.

    Attributes:
        results: by Code.
        durations: by DURATION_BOUNDS_NS, and those above the last; voided ones have none.
        spent_ns: their durations summed up.
    """

    results: tuple[int, ...]
    durations: tuple[int, ...]
    spent_ns: int

    def pack(self) -> bytes:
        """As it stands in a frame: SIZE bytes."""
        return _LAYOUT.pack(*self.results, *self.durations, self.spent_ns)

    @classmethod
    def unpack(cls, body: bytes, at: int) -> Self:
        """What stands there in a frame's body."""
        *numbers, spent_ns = _LAYOUT.unpack_from(body, at)
        return cls(tuple(numbers[:RESULTS]), tuple(numbers[RESULTS:]), spent_ns)


SIZE: Final = _LAYOUT.size
NO_COUNTS: Final = Counts((0,) * RESULTS, (0,) * DURATIONS, 0)

"""Several names in one sentence.

Must not know whose names they are.
"""

from collections.abc import Iterable
from typing import Final

MAX_NAMED: Final = 5


def several(names: Iterable[str]) -> str:
    """The first of them, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more

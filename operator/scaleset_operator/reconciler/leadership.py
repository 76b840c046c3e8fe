"""Whether this process is the one that writes, as a Protocol; an adapter fills it, or nobody.

Must not know how a leader is found. What keeps two of them apart is the ledger, not this.
"""

from typing import Protocol


class Leadership(Protocol):
    """The word of the election; once it was yes, a no is followed by the end of the process."""

    def leads(self) -> bool:
        """Whether turns are taken here, now; may be asked from any thread."""
        ...


class Alone:
    """The default: nobody else is expected, so this process leads."""

    def leads(self) -> bool:
        """See the port."""
        return True

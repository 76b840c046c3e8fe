"""The port `Leadership`: leads or stands by, as the test says."""

from dataclasses import dataclass


@dataclass(slots=True)
class FakeLeadership:
    """One process's word on it."""

    leading: bool = False

    def leads(self) -> bool:
        """See the port."""
        return self.leading

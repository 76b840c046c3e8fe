"""How often the operator was started lately on this machine: a few times in a small file.

An operator that restarts faster than a timeout never watches a full one and so never repairs;
it must say so (protocol rule 21). Pacing of words only: losing the file loses nothing else.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

OFTEN: Final = 3
WITHIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Starts:
    """The file with the times of the latest starts."""

    path: Path

    @classmethod
    def on(cls, server: str) -> "Starts":
        """Of operators on this API server, in a folder of our own.

        STATE_DIRECTORY (as systemd sets it), else below the user's folder for such things, else
        one for temporary files.
        """
        return cls(_folder() / f"{hashlib.sha256(server.encode()).hexdigest()[:16]}.starts")

    def note(self, now: datetime) -> bool:
        """Write down a start; tells whether there were three within ten minutes."""
        recent = [at for at in self._read() if timedelta(0) <= now - at < WITHIN][-OFTEN:]
        recent.append(now)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps([at.isoformat() for at in recent]))
        except OSError:
            return False
        return len(recent) >= OFTEN

    def _read(self) -> list[datetime]:
        try:
            found = [datetime.fromisoformat(text) for text in json.loads(self.path.read_text())]
        except (OSError, ValueError, TypeError):
            return []
        return [at for at in found if at.tzinfo is not None]


def _folder() -> Path:
    given = os.environ.get("STATE_DIRECTORY")
    if given:
        return Path(given)
    try:
        return Path.home() / ".local" / "state" / "scaleset-operator"
    except RuntimeError:  # The user of a container may have no home at all.
        return Path(tempfile.gettempdir()) / f"scaleset-operator-{os.getuid()}"

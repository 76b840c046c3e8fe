"""How a file on the node is written: whole, or not at all.

Must not know what is in it. Imports nothing that is slow to start: the guard of a pause uses it.
"""

import json
import os
from pathlib import Path


def replace(file: Path, body: object) -> None:
    """Writes JSON so that it is there as a whole, or as it was before, whatever happens.

    Raises:
        OSError: it is as it was before.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    with draft.open("w", encoding="utf-8") as text:
        json.dump(body, text)
        text.flush()
        os.fsync(text.fileno())
    draft.replace(file)

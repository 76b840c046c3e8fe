"""More names of the test instance's image, which every node has under each.

Must not know: what is proved with them.
"""

from __future__ import annotations

from typing import Final

SECOND: Final = "instance:second"
"""Of Docker Hub, as every short name."""
ELSEWHERE: Final = "registry.invalid/instance:dev"
"""Of a registry that is none."""
NAMES: Final = (SECOND, ELSEWHERE)

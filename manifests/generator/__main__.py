"""`python -m manifests.generator`: write the generated files of manifests/, or with --check look.

Must not know: what stands in any of them.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from manifests.generator.files import roles, stale, the_rest
from manifests.generator.sources import MANIFESTS

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Gives the exit status: 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(prog="manifests", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    if parser.parse_args(arguments).check:
        found = stale()
        for name in found:
            sys.stderr.write(f"manifests/{name} is not what `make manifests` writes\n")
        return 1 if found else 0
    for made in (roles, the_rest):
        for name, text in made().items():
            path = MANIFESTS / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

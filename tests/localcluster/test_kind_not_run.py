"""A run of the tests on real pods where there can be none: one line, a count, and no failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(60)
def test_where_containers_cannot_run_they_are_counted_as_not_run(tmp_path: Path) -> None:
    """Neither Docker nor any other program is found here."""
    said = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--kind", "tests/kind"),
            *("-n", "0", "-p", "no:cacheprovider", "--color=no"),
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": "", "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    (line,) = (one for one in said.stdout.splitlines() if one.startswith("not run"))
    told = re.match(r"not run, for no kind cluster can be had here: (\d+); Docker does not", line)
    assert told is not None, line
    assert f"{told[1]} deselected" in said.stdout
    assert list(tmp_path.iterdir()) == [], "nothing was begun"

"""A run of the tests in network namespaces where there can be none: a count, a line, no failure."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("workers", ["0", "1"])
def test_where_programs_are_missing_they_are_counted_as_not_run(workers: str) -> None:
    """Neither `ip` nor `nft` is found here; several workers say it once, too."""
    said = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "tests/agent/namespaces"),
            *("-n", workers, "-p", "no:cacheprovider", "--color=no"),
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    (line,) = (one for one in said.stdout.splitlines() if one.startswith("not run"))
    told = (
        r"not run, for no network namespaces can be had here: [1-9]\d*; install iproute2 nftables"
    )
    assert re.fullmatch(told, line), line

"""The bench runs at its smallest and writes down what it measured, each figure with its rounds.

What the figures are is no matter of a test: the machine it runs on is shared.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcluster.cluster import LocalCluster

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, control_plane: LocalCluster) -> dict[str, Any]:
    """What a smoke run of one goal of the probers and one on a cluster has written.

    It makes a cluster of its own; the session's is asked for so that its binaries are there.
    """
    assert control_plane.nodes
    path = tmp_path_factory.mktemp("bench") / "latest.json"
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "bench" / "run.py")),
            *("--smoke", "--only", "G1,G8", "--output", str(path)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_bench_writes_down_every_figure_with_its_rounds(report: dict[str, Any]) -> None:
    rows = {row["key"]: row for row in report["rows"]}
    assert rows.keys() == {"G1", "G1.aiohttp", "G8", "G8.status", "G8.events"}
    assert report["conditions"].keys() >= {"cpu", "cores", "seed", "fsync", "kubernetes", "go"}
    for row in rows.values():
        assert row["failure"] is None
        assert row["reached"] in {"yes", "no", "noisy"}
        for side in ("ours", "peer"):
            rounds = row["rounds"][side]
            assert len(rounds) == len(row["rounds"][f"{side}Disturbed"])
            if rounds:
                assert min(rounds) <= row[side] <= max(rounds)
        assert row["rounds"]["ours"]
    assert rows["G1"]["ratio"] == pytest.approx(rows["G1"]["ours"] / rows["G1"]["peer"])
    assert rows["G8"]["ours"] == median(rows["G8"]["rounds"]["ours"])


def test_what_was_measured_is_of_the_size_that_it_can_be(report: dict[str, Any]) -> None:
    """No figure is made up: each lies between what physics and plain sense allow."""
    rows = {row["key"]: row for row in report["rows"]}
    assert 10 < rows["G1"]["ours"] < rows["G1.aiohttp"]["peer"] < 5_000
    assert 2 <= rows["G8"]["ours"] < 20
    assert 2 <= rows["G8"]["peer"] < 20
    assert rows["G8.status"]["ours"] >= 1

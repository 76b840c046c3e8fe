"""The demo with real pods, as a person runs it on a cluster that is up."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from demo.deployment import ROOT

if TYPE_CHECKING:
    from tests.kind.deployment import Deployment

PROMISES = 6


@pytest.mark.timeout(500)
def test_the_demo_holds_its_promises_with_real_pods(deployment: Deployment) -> None:
    """`make demo CLUSTER=kind`: five of forty replaced by the cap, and nothing of it is left."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "demo" / "run.py"), "--cluster", "kind"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("held    ") == PROMISES, done.stdout
    assert "BROKEN" not in done.stdout
    kinds = "scalesets,healthprobes,pods"
    left = json.loads(deployment.kubectl("-n", "default", "get", kinds, "-o", "json"))
    assert left["items"] == []

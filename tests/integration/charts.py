"""Renders the Helm chart with Helm's own engine, built once from its Go module and kept.

As a script it only builds. Must not know: what comes out.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import yaml

SOURCE: Final = Path(__file__).parent / "chartrender"
CHART: Final = Path(__file__).parents[2] / "manifests" / "chart"
RELEASE: Final = ("scaleset-operator", "scaleset-system")


class ChartError(Exception):
    """The chart cannot be rendered with these values; Helm's own words."""


def renderer() -> Path:
    """The binary; builds it, minutes on two cores, unless this source was built before."""
    said = subprocess.run(["go", "version"], capture_output=True, check=True).stdout
    parts = [said, *((SOURCE / name).read_bytes() for name in ("main.go", "go.mod", "go.sum"))]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = cache / "scaleset-operator" / "chartrender" / f"chartrender-{digest}"
    if not binary.exists():
        sys.stderr.write("chartrender: building it from Helm's Go module, minutes the first time\n")
        binary.parent.mkdir(parents=True, exist_ok=True)
        draft = binary.with_suffix(f".{os.getpid()}")
        flags = ["-trimpath", "-ldflags", "-s -w", "-o", str(draft)]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(["go", "build", *flags, "."], cwd=SOURCE, env=environment, check=True)
        draft.replace(binary)
    return binary


def rendered(values: dict[str, Any]) -> dict[str, str]:
    """Template -> its text, with these values over the chart's own.

    Raises:
        ChartError: the values are not allowed.
    """
    done = subprocess.run(
        [renderer(), CHART, *RELEASE],
        input=json.dumps(values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ChartError(done.stderr)
    found: dict[str, str] = json.loads(done.stdout)
    return {name.partition("/templates/")[2]: text for name, text in found.items()}


def objects(values: dict[str, Any]) -> list[dict[str, Any]]:
    """All that would be installed with these values."""
    texts = [text for name, text in rendered(values).items() if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


if __name__ == "__main__":
    renderer()

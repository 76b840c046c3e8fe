"""Helm's own command, and its engine alone, both built once from Helm's Go module and kept.

The engine renders strictly: what a template names and nobody has is an error, where the command
leaves a gap. As a script it only builds. Must not know: what comes out.
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
PACKAGES: Final = {"chartrender": ".", "helm": "helm.sh/helm/v3/cmd/helm"}
CHART: Final = Path(__file__).parents[2] / "manifests" / "chart"
NAMESPACE: Final = "scaleset-system"
RELEASE: Final = "scaleset-operator"


class ChartError(Exception):
    """Helm says no; its own words."""


def built(name: str) -> Path:
    """One of `PACKAGES`; builds it, minutes on two cores, unless it was built from this source."""
    said = subprocess.run(["go", "version"], capture_output=True, check=True).stdout
    parts = [said, *((SOURCE / file).read_bytes() for file in ("main.go", "go.mod", "go.sum"))]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    binary = cache / "scaleset-operator" / "chartrender" / f"{name}-{digest}"
    if not binary.exists():
        sys.stderr.write(f"{name}: building it from Helm's Go module, minutes the first time\n")
        binary.parent.mkdir(parents=True, exist_ok=True)
        draft = binary.with_suffix(f".{os.getpid()}")
        flags = ["-trimpath", "-ldflags", "-s -w", "-o", str(draft), PACKAGES[name]]
        environment = {**os.environ, "CGO_ENABLED": "0"}
        subprocess.run(["go", "build", *flags], cwd=SOURCE, env=environment, check=True)
        draft.replace(binary)
    return binary


def rendered(values: dict[str, Any]) -> dict[str, str]:
    """Template -> its text, with these values over the chart's own.

    Raises:
        ChartError: the values are not allowed.
    """
    done = subprocess.run(
        [built("chartrender"), CHART, RELEASE, NAMESPACE],
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


class Helm:
    """Helm's command on one cluster, in the operator's namespace."""

    def __init__(self, kubeconfig: Path, home: Path) -> None:
        """Starts nothing.

        Args:
            kubeconfig: of somebody with every right.
            home: an empty folder, for what Helm keeps of its own.
        """
        self._words = (str(built("helm")), f"--kubeconfig={kubeconfig}", f"--namespace={NAMESPACE}")
        self._environment = {**os.environ, "HOME": str(home)}

    def __call__(self, *arguments: str, values: dict[str, Any] | None = None) -> str:
        """Run it; with values, these are read with `--values=-`.

        Raises:
            ChartError: it failed.
        """
        more = () if values is None else ("--values=-",)
        done = subprocess.run(
            [*self._words, *arguments, *more],
            input=json.dumps(values or {}),
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ChartError(done.stderr)
        return done.stdout


if __name__ == "__main__":
    for known in PACKAGES:
        built(known)

"""ServiceMonitor and PrometheusRule against the Prometheus operator's own definitions, by dry run.

The definitions come from its Go module, as they are released.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from localcluster.cluster import KubectlError
from manifests.generator.sources import read
from tests.integration.accounts import applied
from tests.integration.charts import objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster

Json = dict[str, Any]

PINNED: Final = Path(__file__).parent / "monitoringcrds"
"""A go.mod that names the release, and the go.sum that vouches for it."""
MODULE: Final = "github.com/prometheus-operator/prometheus-operator"
FOLDER: Final = "example/prometheus-operator-crd"
KINDS: Final = ("servicemonitors", "prometheusrules")
GROUP: Final = "monitoring.coreos.com"
SOURCES: Final = [f"components/monitoring/{kind[:-1]}.yaml" for kind in KINDS]
DRY: Final = ("--server-side", "--dry-run=server", "--validate=strict", "--warnings-as-errors")
VALUES: Final[Json] = {
    "serviceMonitor": {"enabled": True, "interval": "15s", "labels": {"release": "metrics"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "metrics"}},
}

pytestmark = pytest.mark.timeout(1_200)  # The chart's renderer may have to be built first.


def definitions() -> list[Json]:
    """The Prometheus operator's definitions of the kinds that we use."""
    done = subprocess.run(
        ["go", "mod", "download", "-json", MODULE],
        cwd=PINNED,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(json.loads(done.stdout)["Dir"]) / FOLDER
    return [yaml.safe_load((folder / f"{GROUP}_{kind}.yaml").read_text()) for kind in KINDS]


@pytest.fixture(scope="module")
def monitored(kinds: LocalCluster) -> Iterator[LocalCluster]:
    """A cluster that knows the Prometheus operator's kinds, and the operator's namespace."""
    with applied(kinds, [*definitions(), *read("base/namespace.yaml")]):
        for kind in KINDS:
            kinds.await_served(f"crd/{kind}.{GROUP}")
        yield kinds


def offered(cluster: LocalCluster, found: list[Json]) -> str:
    """What the API server says to these, without keeping them."""
    return cluster.kubectl("apply", *DRY, "-f", "-", input=yaml.safe_dump_all(found))


def test_the_component_is_taken_as_it_is(monitored: LocalCluster) -> None:
    found = [one for source in SOURCES for one in read(source)]
    assert {one["kind"] for one in found} == {"ServiceMonitor", "PrometheusRule"}
    assert len(offered(monitored, found).splitlines()) == len(found)


def test_the_chart_s_are_taken_with_every_value_that_enters_them(monitored: LocalCluster) -> None:
    found = [one for one in objects(VALUES) if one["apiVersion"].startswith(GROUP)]
    assert {one["kind"] for one in found} == {"ServiceMonitor", "PrometheusRule"}
    assert len(offered(monitored, found).splitlines()) == len(found)


@pytest.mark.parametrize(
    ("source", "path", "value"),
    [
        (SOURCES[0], ("spec", "endpoints", 0, "honourLabels"), True),
        (SOURCES[0], ("spec", "endpoints", 0, "interval"), "soon"),
        (SOURCES[1], ("spec", "groups", 0, "rules", 0, "for"), "a while"),
        (SOURCES[1], ("spec", "groups", 0, "rules", 0, "severity"), "critical"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_is_misspelt_or_out_of_bounds_is_refused(
    monitored: LocalCluster, source: str, path: tuple[str | int, ...], value: object
) -> None:
    """The dry run sees what these tests rely on it to see."""
    (one,) = read(source)
    place: Any = one
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(KubectlError, match=str(path[-1])):
        offered(monitored, [one])

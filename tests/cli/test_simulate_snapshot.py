"""`simulate SET` begins with a set in the cluster, and a kept snapshot begins the same again."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from scaleset_operator.cli.kinds import HEALTH_PROBES, MAINTENANCE_WINDOWS, NODES, PODS, SCALE_SETS
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from tests.rehearsal.moving import moving
from tests.rehearsal.runs import KEY, rehearsal
from tests.rehearsal.test_snapshot import photographed
from tests.support.fake_clock import T0
from tests.support.fake_plugin import FakeEntrance

WHERE = ("-n", KEY.namespace, "--start-after", "5s", "--until", "5m", "-o", "json")


def cluster(run: Rehearsal | None = None, minutes: float = 2) -> FakeEntrance:
    """One in which a set stands as a rehearsal left it."""
    run = run or rehearsal(4)
    asyncio.run(run.run(timedelta(minutes=minutes)))
    scale_set, others = photographed(run)
    entrance = FakeEntrance(at=T0 + timedelta(minutes=minutes))
    entrance.add(SCALE_SETS, scale_set)
    kinds = {
        "HealthProbe": HEALTH_PROBES,
        "MaintenanceWindow": MAINTENANCE_WINDOWS,
        "Pod": PODS,
        "Node": NODES,
    }
    for body in others:
        entrance.add(kinds[body["kind"]], body)
    return entrance


def simulated(entrance: FakeEntrance, *words: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(entrance.run("simulate", *words, *WHERE).stdout)
    return said


def test_a_set_in_the_cluster_is_rehearsed_as_it_stands() -> None:
    entrance = cluster()
    said = simulated(entrance, "web", "--scenario", "at=1m fail=web-2")
    assert said["begin"] == "2026-11-21T08:02:00Z"
    created = [act["instance"] for act in said["acts"] if act["act"] == "Create"]
    assert created == ["web-5"], "four were there, and one is made up for"
    assert entrance.writes == []


def test_what_was_kept_gives_the_same_run(tmp_path: Path) -> None:
    file, scenario = str(tmp_path / "now.yaml"), ("--scenario", "at=1m fail=2")
    first = simulated(cluster(), "web", "--save-snapshot", file, *scenario)
    assert simulated(FakeEntrance(away="no"), "-f", file, *scenario) == first
    kept = yaml.safe_load(Path(file).read_text())
    assert kept["metadata"]["annotations"] == {"scaleset.dev/snapshot-time": "2026-11-21T08:02:00Z"}


def test_a_maintenance_that_is_under_way_goes_on_in_the_rehearsal(tmp_path: Path) -> None:
    """X-12: window, nodes and the place that is held are part of what is kept."""
    file = str(tmp_path / "now.yaml")
    entrance = cluster(moving(), 4.01)
    first = simulated(entrance, "web", "--save-snapshot", file)
    moved = [act["instance"] for act in first["acts"] if act["act"] == "Moved"]
    assert len(moved) == 6
    assert next(act["act"] for act in first["acts"] if act["instance"] == "web-3") != "Hold"
    assert simulated(FakeEntrance(away="no"), "-f", file) == first


def test_nodes_that_may_not_be_read_are_done_without() -> None:
    entrance = cluster()
    entrance.forbidden.add("nodes")
    assert simulated(entrance, "web")["summary"]["healthyAtEnd"] == 4


def test_a_set_that_is_not_there_is_named_with_those_that_are() -> None:
    entrance = cluster()
    said = entrance.run("simulate", "api", "-n", KEY.namespace, code=1).stderr
    assert "there are: web" in said


def test_a_snapshot_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    words = ("web", "-n", KEY.namespace, "--save-snapshot", str(tmp_path))
    assert "cannot be written" in cluster().run("simulate", *words, code=1).stderr

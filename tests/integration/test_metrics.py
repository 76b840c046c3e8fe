"""The operator's own figures, scraped from a live one and held against what the API server says."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.integration.agents import agents_of
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.waiting import eventually
from tests.integration.world import uids_of
from tests.support.kube_api import path_of
from tests.support.scraping import Scrape

if TYPE_CHECKING:
    from tests.integration.world import Json, World

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
_ROW: Final = re.compile(r"^\| `(\w+)` \| (\w+) \| (.*?) \| ", re.MULTILINE)
LARGEST_OF_ONE: Final = 19
"""The largest set with an allowance of one."""
SICK: Final = 4
WITHOUT_A_WINDOW: Final = ("scaleset_evictions_total", "scaleset_moves_total")
"""Counted by what became of each, so nothing is there where nobody moves."""


def documented() -> dict[str, tuple[str, set[str]]]:
    """Name -> type and labels of the operator's, as docs/metrics.md has them."""
    ours, _, _ = PAGE.read_text(encoding="utf-8").partition("## The node agent")
    rows = _ROW.findall(ours)
    return {name: (kind, set(re.findall(r"`(\w+)`:", labels))) for name, kind, labels in rows}


def scrape(operator: OperatorProcess) -> Scrape:
    status, text = operator.page("/metrics")
    assert status == 200
    return Scrape(text)


def test_every_documented_series_is_there_and_says_what_the_cluster_says(
    operator: OperatorProcess, world: World, tmp_path: Path
) -> None:
    """R-46, X-11: after repairs, every figure is what the status and its history tell."""
    world.scale_set(
        "web", LARGEST_OF_ONE, repairs={"gracePeriod": "PT0S", "serviceState": "Suspended"}
    )
    world.await_ready("web")
    of_web = {"namespace": world.namespace, "scaleset": "web"}
    sick = world.pods("web")[:SICK]
    world.endpoints.tell(sick, "status:500")
    held = of_web | {"reason": "SuspendedByUser"}
    eventually(
        lambda: scrape(operator).value("scaleset_repair_deferred", **held) == SICK, "all are held"
    )
    world.change("web", automaticRepairsPolicy={"serviceState": "Running"})
    during = eventually(
        lambda: seen_waiting(operator, of_web),
        "some wait for the one slot",
        told=lambda: (operator.page("/metrics")[1], world.told("web")),
    )
    assert during.value("scaleset_repairs_in_flight", **of_web) == 1
    assert during.value("scaleset_repair_batch_limit", **of_web) == 1
    found = documented()
    assert during.kinds.keys() <= found.keys()
    eventually(lambda: not uids_of(world.pods("web")) & uids_of(sick), "all are replaced")
    world.await_ready("web")
    status = world.await_status(
        "web", lambda s: len(s["repairs"]["history"]) == SICK, "all repairs are closed"
    )
    after = with_outbound_ports(operator, world, tmp_path)
    for name in WITHOUT_A_WINDOW:
        del found[name]
    assert during.kinds | after.kinds == {name: kind for name, (kind, _) in found.items()}
    for name, (_, labels) in found.items():
        rows = rows_of(after, name) or rows_of(during, name)
        assert rows, name
        assert all(set(row) == labels for row in rows), name
    assert_repairs_are_counted(after, of_web, status)
    assert_status_is_told(after, of_web, status)
    assert_the_rest_is_sane(after)


def with_outbound_ports(operator: OperatorProcess, world: World, folder: Path) -> Scrape:
    """A scrape once a rule selects the set and agents report that they carry it out."""
    path = path_of("ScaleSet", world.namespace, "web")
    world.api.merge(path, {"metadata": {"labels": {"tier": "web"}}})
    chosen = {"matchLabels": {"tier": "web"}}
    spec = {"scaleSetSelector": chosen, "frontendIPs": ["198.51.100.7"]}
    world.create("OutboundRule", "web-out", spec)
    world.await_status(
        "web-out", lambda s: s["poolSize"] == LARGEST_OF_ONE, "it has its pool", kind="OutboundRule"
    )
    with agents_of(world, "198.51.100.7", folder) as agents:
        for agent in agents.values():
            agent.round()
            for pod in world.pods("web"):
                agent.use(pod["metadata"]["name"], 3)
            agent.round()
        return eventually(partial(seen_in_use, operator, world), "ports in use are told")


def seen_in_use(operator: OperatorProcess, world: World) -> Scrape | None:
    found = scrape(operator)
    mine = {"namespace": world.namespace, "rule": "web-out"}
    used = [
        value
        for (name, labels), value in found.samples.items()
        if name == "scaleset_outbound_used_ports" and mine.items() <= set(labels)
    ]
    return found if used == [3] * LARGEST_OF_ONE else None


def seen_waiting(operator: OperatorProcess, of_web: dict[str, str]) -> Scrape | None:
    found = scrape(operator)
    held = found.value("scaleset_repair_deferred", **of_web, reason="BatchLimitReached")
    return found if held and found.value("scaleset_repairs_in_flight", **of_web) else None


def rows_of(found: Scrape, name: str) -> list[dict[str, str]]:
    return [dict(labels) for at, labels in found.samples if at in {name, f"{name}_count"}]


def assert_repairs_are_counted(found: Scrape, of_web: dict[str, str], status: Json) -> None:
    """As the history has them; a DELETE for each, and no other."""
    ends = Counter(
        (row["action"], row["causeReason"], row["result"]) for row in status["repairs"]["history"]
    )
    counted = {
        (row["action"], row["cause"], row["result"]): found.value("scaleset_repairs_total", **row)
        for row in rows_of(found, "scaleset_repairs_total")
        if of_web.items() <= row.items()
    }
    assert counted == ends == {("Replace", "WrongStatus", "Succeeded"): SICK}
    deletions = [
        r for r in rows_of(found, "scaleset_deletions_total") if of_web.items() <= r.items()
    ]
    assert [row["reason"] for row in deletions] == ["repair"]
    assert found.value("scaleset_deletions_total", **of_web, reason="repair") == SICK
    done = {"action": "Replace", "result": "Succeeded"}
    assert (found.value("scaleset_repair_duration_seconds_count", **done) or 0) >= SICK


def assert_status_is_told(found: Scrape, of_web: dict[str, str], status: Json) -> None:
    for health in ("Healthy", "Unhealthy", "Unknown"):
        told = found.value("scaleset_instances", **of_web, health=health)
        assert told == status[f"{health.lower()}Replicas"], health
    for row in status["conditions"]:
        labels = {"type": row["type"], "status": row["status"]}
        assert found.value("scaleset_condition", **of_web, **labels) == 1, labels
    running = {"state": "Running", "by": ""}
    assert found.value("scaleset_repairs_service_state", **of_web, **running) == 1


def assert_the_rest_is_sane(found: Scrape) -> None:
    """What nobody else counts: not nothing, and no more than can be."""
    assert (found.value("scaleset_probe_results_total", result="ok") or 0) >= LARGEST_OF_ONE
    assert (found.value("scaleset_probe_results_total", result="wrong_status") or 0) >= SICK
    ended = found.value("scaleset_probe_duration_seconds_count")
    results = sum(v for (name, _), v in found.samples.items() if name.endswith("results_total"))
    assert ended == results - (found.value("scaleset_probe_results_total", result="voided") or 0)
    assert (found.value("scaleset_probe_targets") or 0) >= LARGEST_OF_ONE
    assert found.value("scaleset_prober_up") == found.value("scaleset_prober_sees") == 1
    assert found.value("scaleset_prober_starts_total") == 1
    assert found.value("scaleset_resource_watch_starts_total") == 1
    assert found.value("scaleset_pod_cache_cut_seconds") == 0
    created = {"verb": "create", "code": "201"}
    assert (found.value("scaleset_api_requests_total", **created) or 0) >= LARGEST_OF_ONE + SICK
    turns = {"kind": "ScaleSet", "result": "Done"}
    assert (found.value("scaleset_turn_duration_seconds_count", **turns) or 0) > 0
    failed = {"kind": "ScaleSet", "result": "Failed"}
    assert found.value("scaleset_turn_duration_seconds_count", **failed) == 0


def test_a_change_of_the_service_moves_a_series_and_the_sets_end_takes_all_away(
    operator: OperatorProcess, world: World
) -> None:
    """R-37, R-46."""
    world.scale_set("web", 2, repairs={"gracePeriod": "PT1H"})
    world.await_ready("web")
    of_web = {"namespace": world.namespace, "scaleset": "web"}

    def says(state: str, by: str) -> bool:
        labels = {"state": state, "by": by}
        return scrape(operator).value("scaleset_repairs_service_state", **of_web, **labels) == 1

    assert says("Running", "")
    world.change("web", automaticRepairsPolicy={"serviceState": "Suspended"})
    eventually(lambda: says("Suspended", "User"), "the series says who suspended")
    assert not says("Running", "")
    world.change("web", replicas=1)
    scaled = of_web | {"reason": "scale_in"}
    eventually(
        lambda: scrape(operator).value("scaleset_deletions_total", **scaled) == 1, "one went"
    )
    world.delete("ScaleSet", "web")
    eventually(lambda: not any_of(scrape(operator), of_web), "no series of the set is left")


def any_of(found: Scrape, of_web: dict[str, str]) -> bool:
    return any(of_web.items() <= set(labels) for _, labels in found.samples)


def test_health_is_told_with_what_it_stands_on(operator: OperatorProcess) -> None:
    names = {"loop", "turns", "prober", "parts"}
    more = {"pods", "custom-resources", "probing"}
    for path, checks in (("/healthz", names), ("/readyz", names | more)):
        assert operator.page(path) == (200, "ok\n")
        status, text = operator.page(f"{path}?verbose")
        told = json.loads(text)
        assert (status, told["ok"]) == (200, True)
        assert {check["name"] for check in told["checks"]} == checks
        assert all(check["ok"] and check["detail"] for check in told["checks"])


def test_a_second_operator_on_the_machine_takes_another_port_and_logs_json_by_set(
    operator: OperatorProcess, world: World, tmp_path: Path
) -> None:
    """Off a terminal the log is JSON without being told, and no line of it has another form."""
    taken = ("--port", str(operator.port), "--namespace", world.namespace)
    second = OperatorProcess(operator.cluster, tmp_path, *taken, "--log-level=debug")
    second.start()
    try:
        line = eventually(lambda: said(second, "is taken"), "it says where it is", seconds=30)
        second.port = int(line["message"].split("port ")[2].split()[0])
        assert second.port != operator.port
        second.await_ready()
        assert operator.page("/healthz") == second.page("/healthz") == (200, "ok\n")
        world.scale_set("loud", 1)
        of_loud = {"namespace": world.namespace, "scaleset": "loud"}
        eventually(lambda: said(second, "record", **of_loud), "a line of the set's turn")
        world.await_ready("loud")
    finally:
        second.kill()


def said(operator: OperatorProcess, words: str, **fields: str) -> Json:
    """The first line of the log with these words and fields; the last line may be half written."""
    lines = [json.loads(line) for line in operator.log.read_text("utf-8").split("\n")[:-1]]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    found = (line for line in lines if words in line["message"] and fields.items() <= line.items())
    return next(found, {})

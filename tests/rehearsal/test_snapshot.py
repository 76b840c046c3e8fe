"""A snapshot goes on from where the set stood: who was Unhealthy is, ages and ledger count."""

import json
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.cli.scenario import read_scenario
from scaleset_operator.core.observed import Outcome
from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.rehearsal.endpoints import HANG, REFUSED, Answer
from scaleset_operator.rehearsal.manifests import pod_manifest, pod_of
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from scaleset_operator.rehearsal.snapshot import answer_of, restore
from scaleset_operator.rehearsal.summary import summary_of
from tests.rehearsal.moving import moving, on_updated
from tests.rehearsal.runs import KEY, acts, rehearsal


def photographed(run: Rehearsal) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What an API server would show of a rehearsal as it stands."""
    others = [run.server.resource("HealthProbe", KEY.namespace, "web-http")]
    pods = [{**pod_manifest(pod), "kind": "Pod"} for pod in run.server.pods()]
    nodes = [
        {
            "kind": "Node",
            "metadata": {"name": node.name, "labels": dict(node.labels)},
            "status": {"conditions": [{"type": "Ready", "status": str(node.ready)}]},
        }
        for node in run.server.nodes()
    ]
    windows = [
        body
        for key, body in run.server.objects().items()
        if key.kind == "MaintenanceWindow" and isinstance(body, dict)
    ]
    # As it comes off the wire: plain words, and nothing shared.
    scale_set, *rest = json.loads(json.dumps([run.scale_set, *others, *windows, *pods, *nodes]))
    return scale_set, rest


async def going_on(scenario: str, later: str = "", **policy: Any) -> Rehearsal:
    """A rehearsal from the snapshot of another one, taken three minutes after its begin."""
    first = rehearsal(10, **policy)
    await first.run(timedelta(minutes=3), read_scenario(scenario))
    second = Rehearsal(KEY, first.clock.now(), nodes=0)
    second.start_after = 5.0
    restore(second, *photographed(first))
    await second.run(timedelta(minutes=10), read_scenario(later))
    return second


async def test_a_set_at_rest_stays_at_rest() -> None:
    run = await going_on("")
    assert not acts(run, ActKind.BEGIN, ActKind.CREATE, ActKind.DELETE)
    assert summary_of(run).healthy_since == run.begin


async def test_who_was_unhealthy_still_is_and_is_repaired_when_its_grace_is_over() -> None:
    run = await going_on("at=2m fail=web-3 as=503", gracePeriod="PT5M")
    (begun,) = [act for act in run.acts if act.kind is ActKind.BEGIN]
    assert begun.instance == "web-3"
    assert "HTTP 503" in begun.detail
    grace_left = begun.at - run.begin
    assert timedelta(minutes=1, seconds=55) < grace_left < timedelta(minutes=2, seconds=30)


async def test_a_repair_in_flight_is_finished_and_nobody_is_deleted_twice() -> None:
    run = await going_on("at=165s fail=web-3; at=165s start-after=1m")
    assert acts(run, ActKind.END) == [("web-3", "Succeeded")]
    assert acts(run, ActKind.DELETE) == []
    assert len(run.instances()) == 10


async def test_the_nodes_are_those_of_the_snapshot() -> None:
    run = await going_on("", "at=1m node-lost=node-2")
    assert {node.name for node in run.server.nodes()} == {"node-1", "node-2", "node-3"}
    assert acts(run, ActKind.BEGIN)


async def test_a_pod_comes_back_from_its_manifest_as_it_was() -> None:
    first = rehearsal(3)
    await first.run(timedelta(minutes=3), read_scenario("at=2m fail=web-1; at=2m node-lost=node-2"))
    for pod in first.server.pods():
        back = pod_of(pod_manifest(pod))
        same = ("name", "uid", "labels", "annotations", "controller", "ip", "node", "started")
        assert [getattr(back, name) for name in same] == [getattr(pod, name) for name in same]
        assert dict(back.conditions) == dict(pod.conditions)
        assert (back.live, back.in_rotation) == (pod.live, pod.in_rotation)


@pytest.mark.parametrize(
    ("reason", "message", "answer"),
    [
        ("WrongStatus", "HTTP 404, 200 is expected", Answer(Outcome.WRONG_STATUS, 404)),
        ("WrongStatus", "", Answer(Outcome.WRONG_STATUS, 500)),
        ("ProbeTimedOut", "no answer in time", HANG),
        ("ConnectionRefused", "", REFUSED),
        ("Reported", "", None),
        ("NotReady", "", None),
    ],
)
async def test_how_an_unhealthy_instance_answers_is_read_off_its_condition(
    reason: str, message: str, answer: Answer | None
) -> None:
    run = rehearsal(1)
    await run.run(timedelta(minutes=1))
    (pod,) = run.instances()
    body = pod_manifest(pod)
    row = next(r for r in body["status"]["conditions"] if r["type"] == "scaleset.dev/Healthy")
    row |= {"status": "False", "reason": reason, "message": message}
    assert answer_of(pod_of(body)) == answer


async def test_one_that_is_well_answers() -> None:
    run = rehearsal(1)
    await run.run(timedelta(minutes=1))
    assert answer_of(run.instances()[0]) is None


@pytest.mark.parametrize("seconds", [239.0, 240.5, 241.5, 244.0, 270.0])
async def test_a_maintenance_goes_on_from_where_it_stood(seconds: float) -> None:
    """X-12, M-26: with the places that are held, and what is said on each instance."""
    first = moving()
    await first.run(timedelta(seconds=seconds))
    second = Rehearsal(KEY, first.clock.now(), nodes=0)
    second.start_after = 5.0
    restore(second, *photographed(first))
    await second.run(timedelta(minutes=10))
    await first.run(timedelta(seconds=seconds) + timedelta(minutes=10))
    done = [act for act in first.acts if act.kind is ActKind.MOVED and act.at > second.begin]
    assert [(a.instance, a.what) for a in done] == acts(second, ActKind.MOVED)
    assert len(on_updated(second)) == 6
    assert len(second.server.pods(KEY.namespace)) == 6

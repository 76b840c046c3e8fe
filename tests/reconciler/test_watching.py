"""A set of two probes: what the prober is told, and what each of them is asked for."""

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Outcome
from scaleset_operator.reconciler.ports import Key, for_rotation
from scaleset_operator.reconciler.probe_turn import ProbeReporter
from scaleset_operator.rehearsal.endpoints import STATUS_503
from scaleset_operator.rehearsal.requests import Verb
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE, probe_spec

LB = Key(NAMESPACE, "web-lb")


async def two_probes(**second: object) -> Stage:
    """Three instances that are up, watched by web-http and by web-lb on /lb."""
    stage = Stage()
    stage.server.apply("HealthProbe", *LB, probe_spec(path="/lb", **second))
    stage.change_spec(rotationProbeRef={"name": "web-lb"})
    await stage.run(30)
    return stage


async def test_each_probe_has_evidence_of_its_own_on_every_pod() -> None:
    """P-29, P-30: the answer to one never counts for the other."""
    stage = await two_probes()
    probes, pod = stage.operator.probes, stage.pod("web-1")
    stage.world.endpoints.set_path(pod.uid, "/lb", STATUS_503)
    await stage.run(10)
    health, rotation = probes.evidence(pod.uid), probes.evidence(for_rotation(pod.uid))
    assert health is not None
    assert rotation is not None
    assert (health.outcome, rotation.outcome) == (Outcome.OK, Outcome.WRONG_STATUS)


async def test_an_edit_of_one_probe_resets_its_own_evidence_alone() -> None:
    """P-25."""
    stage = await two_probes()
    uid = stage.pod("web-1").uid
    before = stage.operator.probes.evidence(uid)
    stage.server.apply("HealthProbe", *LB, probe_spec(path="/lb2"))
    await stage.turn()
    rotation = stage.operator.probes.evidence(for_rotation(uid))
    assert rotation is not None
    assert rotation.outcome is None
    assert stage.operator.probes.evidence(uid) == before


async def test_a_second_probe_that_is_named_no_more_is_not_asked_any_more() -> None:
    """P-23, and the default of design 3: the gate follows the health again."""
    stage = await two_probes()
    pod = stage.pod("web-1")
    stage.world.endpoints.set_path(pod.uid, "/lb", STATUS_503)
    await stage.run(30)
    assert stage.pod("web-1").in_rotation is False
    stage.change_spec(rotationProbeRef=None)
    await stage.run(5)
    assert stage.operator.probes.evidence(for_rotation(pod.uid)) is None
    assert stage.pod("web-1").in_rotation is True
    assert "rotation" not in stage.status()


async def test_a_second_probe_that_is_gone_leaves_every_gate_and_is_named() -> None:
    """P-24, P-29, X-11: Accepted says which field, and the health goes on being watched."""
    stage = await two_probes()
    stage.server.delete_resource("HealthProbe", *LB)
    await stage.run(30)
    accepted = stage.condition("Accepted")
    assert accepted["reason"] == Reason.PROBE_NOT_FOUND
    assert "spec.rotationProbeRef.name: no HealthProbe web-lb" in accepted["message"]
    assert all(stage.pod(name).in_rotation for name in stage.pods())
    assert stage.status()["healthyReplicas"] == 3
    assert stage.status()["rotation"]["unknown"] == 3


async def test_a_second_probe_without_a_port_is_ambiguous_like_the_first() -> None:
    """P-05."""
    stage = Stage()
    spec = probe_spec(path="/lb")
    del spec["port"]
    stage.server.apply("HealthProbe", *LB, spec)
    stage.change_spec(rotationProbeRef={"name": "web-lb"})
    await stage.run(30)
    accepted = stage.condition("Accepted")
    assert accepted["reason"] == Reason.AMBIGUOUS_PORT
    assert accepted["message"].startswith("spec.rotationProbeRef: HealthProbe web-lb")


async def test_both_probes_show_the_set_and_each_its_own_findings() -> None:
    """P-22, P-29."""
    stage = await two_probes()
    stage.world.endpoints.set_path(stage.pod("web-2").uid, "/lb", STATUS_503)
    await stage.run(30)
    found = {}
    for name in ("web-http", "web-lb"):
        stage.operator.hear()
        reporter = ProbeReporter(stage.operator.resources, stage.cluster, stage.clock)
        await reporter.turn(Key(NAMESPACE, name))
        status = stage.server.resource("HealthProbe", NAMESPACE, name)["status"]
        words = ("scaleSets", "healthyInstances", "unhealthyInstances", "unknownInstances")
        found[name] = tuple(status[word] for word in words)
    assert found == {"web-http": (1, 3, 0, 0), "web-lb": (1, 2, 1, 0)}


async def test_a_set_of_two_probes_at_rest_writes_nothing() -> None:
    """G9."""
    stage = await two_probes()
    stage.forget_requests()
    await stage.run(120)
    assert stage.made(Verb.STATUS, Verb.PUBLISH) == []
    assert stage.reconciler.last_plan(KEY) is not None

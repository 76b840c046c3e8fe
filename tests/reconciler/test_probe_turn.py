"""The status of a HealthProbe: what it sums up, and how rarely it is written."""

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Key, Refused, Unavailable
from scaleset_operator.reconciler.probe_turn import PAUSE, ProbeReporter
from scaleset_operator.rehearsal.endpoints import STATUS_500
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE, probe_spec, set_spec
from tests.support.fake_leadership import FakeLeadership

PROBE = Key(NAMESPACE, "web-http")


class Reporting:
    """A reporter beside a set that has come up."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.reporter = ProbeReporter(
            self.stage.operator.resources, self.stage.cluster, self.stage.clock
        )

    async def report(self) -> float | None:
        """One turn, with all news heard; returns in how many seconds to look again."""
        self.stage.operator.hear()
        due = await self.reporter.turn(PROBE)
        return None if due is None else (due - self.stage.clock.now()).total_seconds()

    def writes(self) -> int:
        return len([r for r in self.stage.made(Verb.STATUS) if r.name == PROBE.name])

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.server.resource("HealthProbe", *PROBE)["status"]
        return found

    def ready(self) -> tuple[str, str, str]:
        (row,) = self.status()["conditions"]
        assert row["type"] == "Ready"
        return row["status"], row["reason"], row["message"]

    def set_probe(self, **changes: Any) -> None:
        spec = {name: v for name, v in probe_spec(**changes).items() if v is not None}
        self.stage.server.apply("HealthProbe", *PROBE, spec)


@pytest.fixture
async def reporting() -> Reporting:
    reporting = Reporting()
    await reporting.stage.run(30)
    return reporting


async def test_a_probe_tells_who_uses_it_and_what_it_finds(reporting: Reporting) -> None:
    assert await reporting.report() is None
    status = reporting.status()
    assert status["scaleSets"] == 1
    assert status["resolvedPort"] == 8080
    assert status["observedGeneration"] == 1
    found = [status[f"{health}Instances"] for health in ("healthy", "unhealthy", "unknown")]
    assert found == [3, 0, 0]
    assert reporting.ready()[:2] == ("True", Reason.PROBING)


async def test_it_is_written_on_a_change_only(reporting: Reporting) -> None:
    """G9: no writes in a steady state."""
    for _ in range(10):
        await reporting.report()
        reporting.stage.clock.advance(30)
    assert reporting.writes() == 1


async def test_changes_share_a_write_and_writes_keep_their_distance(reporting: Reporting) -> None:
    await reporting.report()
    reporting.stage.world.endpoints.set(reporting.stage.pod("web-1").uid, STATUS_500)
    waits: list[float | None] = []
    for _ in range(20):
        await reporting.stage.run(1)
        waits.append(await reporting.report())
    assert reporting.writes() <= 5
    assert all(wait is None or 0 < wait <= PAUSE.total_seconds() for wait in waits)
    reporting.stage.clock.advance(PAUSE)
    assert await reporting.report() is None
    assert reporting.status()["unhealthyInstances"] == reporting.stage.status()["unhealthyReplicas"]


async def test_a_change_within_the_pause_is_written_when_it_ends(reporting: Reporting) -> None:
    await reporting.report()
    reporting.stage.clock.advance(1)
    reporting.set_probe(port=9000)
    wait = await reporting.report()
    assert wait == pytest.approx(4.0)
    assert reporting.writes() == 1
    reporting.stage.clock.advance(4)
    assert await reporting.report() is None
    assert reporting.status()["resolvedPort"] == 9000


async def test_one_probe_sums_up_all_sets_that_use_it(reporting: Reporting) -> None:
    """P-22."""
    other = Key(NAMESPACE, "api")
    spec = set_spec(2)
    spec["selector"] = {"matchLabels": {"app": "api"}}
    spec["template"]["metadata"] = {"labels": {"app": "api"}}
    reporting.stage.server.apply("ScaleSet", *other, spec)
    for _ in range(20):
        await reporting.stage.run(1)
        await reporting.stage.turn(other)
    await reporting.report()
    status = reporting.status()
    assert (status["scaleSets"], status["healthyInstances"]) == (2, 5)


async def test_a_probe_that_no_set_uses_says_so(reporting: Reporting) -> None:
    """P-23."""
    await reporting.report()
    reporting.stage.server.delete_resource("ScaleSet", *KEY)
    reporting.stage.clock.advance(PAUSE)
    await reporting.report()
    assert reporting.ready() == ("False", Reason.NOT_IN_USE, "no set names it")
    assert reporting.status()["scaleSets"] == reporting.status()["healthyInstances"] == 0


async def test_an_ambiguous_port_is_said(reporting: Reporting) -> None:
    """P-05."""
    reporting.set_probe(port=None)
    await reporting.report()
    assert reporting.ready()[:2] == ("False", Reason.AMBIGUOUS_PORT)
    assert "resolvedPort" not in reporting.status()


@pytest.mark.parametrize(
    ("interval", "patience", "fits"),
    [(5, 11, True), (15, 31, True), (15, 30, False), (6, 11, False)],
)
async def test_an_interval_that_is_not_below_half_of_the_timeout_is_said_and_not_refused(
    reporting: Reporting, interval: int, patience: int, *, fits: bool
) -> None:
    """P-10."""
    reporting.set_probe(intervalInSeconds=interval, timeoutInSeconds=patience)
    await reporting.report()
    status, reason, message = reporting.ready()
    assert status == "True"
    assert (reason == Reason.PROBING) is fits
    assert (reason == Reason.INTERVAL_TOO_LONG) is not fits
    assert ("half of timeout" in message) is not fits


async def test_the_time_of_a_condition_moves_only_with_its_status(reporting: Reporting) -> None:
    await reporting.report()
    (before,) = reporting.status()["conditions"]
    reporting.stage.clock.advance(60)
    reporting.set_probe(intervalInSeconds=10)
    await reporting.report()
    (after,) = reporting.status()["conditions"]
    assert after["observedGeneration"] == 2
    assert after["lastTransitionTime"] == before["lastTransitionTime"]
    reporting.stage.clock.advance(60)
    reporting.stage.server.delete_resource("ScaleSet", *KEY)
    await reporting.report()
    (ended,) = reporting.status()["conditions"]
    assert ended["lastTransitionTime"] > before["lastTransitionTime"]


async def test_a_conflict_is_tried_again_and_a_missing_probe_is_let_go(
    reporting: Reporting,
) -> None:
    reporting.stage.operator.faults.script(Verb.STATUS, Fault.CONFLICT)
    wait = await reporting.report()
    assert wait == pytest.approx(1.0)
    reporting.stage.clock.advance(timedelta(seconds=1))
    reporting.stage.operator.hear()
    reporting.stage.server.delete_resource("HealthProbe", *PROBE)
    assert await reporting.reporter.turn(PROBE) is None
    assert await reporting.report() is None


@pytest.mark.parametrize(
    ("fault", "error"), [(Fault.TOO_MANY, Unavailable), (Fault.FORBIDDEN, Refused)]
)
async def test_other_faults_are_the_queues_to_wait_for(
    reporting: Reporting, fault: Fault, error: type[Exception]
) -> None:
    reporting.stage.operator.faults.script(Verb.STATUS, fault)
    with pytest.raises(error):
        await reporting.report()
    assert await reporting.report() is None
    assert reporting.status()["scaleSets"] == 1


async def test_a_standby_writes_no_probe_status_and_catches_up_once_it_leads() -> None:
    reporting, word = Reporting(), FakeLeadership()
    stage = reporting.stage
    reporter = ProbeReporter(stage.operator.resources, stage.cluster, stage.clock, word)
    reporting.reporter = reporter
    await stage.run(10)
    stage.forget_requests()
    assert await reporting.report() is None
    assert reporting.writes() == 0
    word.leading = True
    await reporting.report()
    assert reporting.writes() == 1

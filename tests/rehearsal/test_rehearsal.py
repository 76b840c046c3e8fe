"""A rehearsal runs the operator's own loop, skips what does not change, and says the same again."""

from datetime import timedelta

import pytest

from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.rehearsal.events import NobodyMeantError
from scaleset_operator.rehearsal.film import State
from scaleset_operator.rehearsal.summary import summary_of
from tests.rehearsal.runs import acts, rehearsal, rehearsed


async def test_the_broken_are_repaired_in_batches_within_the_allowance() -> None:
    run = await rehearsed("at=1m fail=15%", replicas=40)
    summary = summary_of(run)
    assert (summary.repairs, dict(summary.results)) == (6, {"Succeeded": 6})
    assert (summary.peak.in_flight, summary.peak.allowance, summary.cap_held) == (2, 2, True)
    assert summary.lowest is not None
    assert summary.lowest.healthy == 34
    assert summary.healthy_since is not None


async def test_the_same_inputs_give_the_same_acts_and_another_seed_other_victims() -> None:
    """X-12: nothing in a rehearsal depends on the clock on the wall, or on chance but the seed."""
    scenario = "at=1m fail=20%; at=5m fail=2 as=hang"
    first, again = await rehearsed(scenario), await rehearsed(scenario)
    other = await rehearsed(scenario, seed=7)
    assert first.acts == again.acts
    assert acts(first, ActKind.BEGIN) != acts(other, ActKind.BEGIN)


async def test_a_stretch_without_changes_is_skipped_and_not_stepped() -> None:
    run = rehearsal()
    await run.run(timedelta(hours=24))
    assert run.loop.turns < 24 * 6 + 100, "one look in ten minutes is the loop's own reserve"


async def test_what_recovers_in_its_grace_is_not_repaired() -> None:
    run = await rehearsed("at=5m fail=3; at=5m20s recover", gracePeriod="PT10M")
    assert acts(run, ActKind.BEGIN) == []
    assert len(acts(run, ActKind.DELETE)) == 0
    assert summary_of(run).healthy_since is not None


async def test_a_silent_set_gets_a_witness_and_nobody_is_deleted_while_the_path_is_cut() -> None:
    """X-05 in a rehearsal."""
    run = await rehearsed("at=2m blind", minutes=8)
    assert acts(run, ActKind.DOUBT)
    assert acts(run, ActKind.BEGIN) == []
    assert not {who for who, why in acts(run, ActKind.DELETE) if why == "repair"}


async def test_sight_that_is_back_ends_the_doubt() -> None:
    run = await rehearsed("at=2m blind; at=4m sight", minutes=10)
    assert acts(run, ActKind.CERTAIN)
    assert summary_of(run).healthy_since is not None


async def test_a_bad_image_stops_its_rollout_and_the_floor_holds() -> None:
    run = await rehearsed("at=2m image=web:2 as=500", minutes=5, replicas=20)
    summary = summary_of(run)
    assert summary.floor_held
    assert summary.healthy_since is None
    assert 0 < summary.deleted["rollout"] < 20


async def test_a_rollout_of_a_good_image_reaches_everybody() -> None:
    run = await rehearsed("at=2m image=web:2", minutes=20)
    assert {pod.spec["containers"][0]["image"] for pod in run.instances()} == {"web:2"}
    assert summary_of(run).healthy_since is not None


async def test_replacements_that_never_get_well_suspend_repairs() -> None:
    run = await rehearsed(
        "at=1m born=500; at=2m fail=web-1", minutes=30, suspendAfterFailedRepairs=2
    )
    summary = summary_of(run)
    assert summary.suspended
    assert summary.results["Failed"] == 2


async def test_a_person_suspends_and_resumes() -> None:
    run = await rehearsed("at=1m suspend; at=2m fail=1; at=6m resume", minutes=10)
    begun = [act for act in run.acts if act.kind is ActKind.BEGIN]
    assert [act.at >= run.happened[2].at for act in begun] == [True]


async def test_the_set_is_scaled_edited_and_deleted_from() -> None:
    scenario = """
        at=2m scale=12
        at=4m delete=web-3
        at=5m set=automaticRepairsPolicy.enabled=false
        at=6m fail=1
    """
    run = await rehearsed(scenario, minutes=12)
    assert len(run.instances()) == 12
    assert acts(run, ActKind.BEGIN) == []
    assert run.film.instances["web-3"][-1].state is State.GONE


async def test_a_node_is_lost_and_its_instances_are_made_up_for_elsewhere() -> None:
    run = await rehearsed("at=2m node-lost=node-1", minutes=30)
    lost = {who for who, why in acts(run, ActKind.DELETE) if why == "repair"}
    assert lost
    assert summary_of(run).cap_held


async def test_who_is_protected_is_not_repaired_until_it_is_no_longer() -> None:
    scenario = "at=2m protect=web-1; at=3m fail=web-1,web-2; at=7m unprotect=web-1"
    run = await rehearsed(scenario, minutes=12)
    assert [who for who, _ in acts(run, ActKind.BEGIN)] == ["web-2", "web-1"]


async def test_an_instance_that_ends_is_made_up_for_without_a_repair() -> None:
    run = await rehearsed("at=2m fail=1 as=exit", minutes=5)
    assert acts(run, ActKind.BEGIN) == []
    assert [why for _, why in acts(run, ActKind.DELETE)] == ["over"]


async def test_a_prober_that_stops_withholds_repairs() -> None:
    run = await rehearsed("at=2m prober=stop; at=2m10s fail=3; at=6m prober=start", minutes=12)
    begun = [act.at for act in run.acts if act.kind is ActKind.BEGIN]
    assert begun
    assert min(begun) > run.happened[2].at


async def test_a_restarted_prober_watches_a_full_timeout_before_it_convicts() -> None:
    run = await rehearsed("at=2m prober=restart; at=2m fail=3", minutes=6)
    assert len(acts(run, ActKind.BEGIN)) == 3


async def test_new_instances_take_as_long_as_they_are_told() -> None:
    run = await rehearsed("at=2m start-after=1m; at=2m born=ok; at=3m scale=11", minutes=6)
    frames = run.film.instances["web-11"]
    well = next(frame.at for frame in frames if frame.state is State.HEALTHY)
    assert (well - frames[0].at).total_seconds() > 60


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        ("at=1m fail=web-99", "web-99: no such instance then; there are web-1"),
        ("at=1m node-lost=node-9", "node-9: no such node; there are node-1"),
        ("at=1m set=replicas.much=1", "replicas holds no fields"),
    ],
)
async def test_an_event_about_what_is_not_there_is_refused(scenario: str, told: str) -> None:
    with pytest.raises(NobodyMeantError, match=told):
        await rehearsed(scenario)

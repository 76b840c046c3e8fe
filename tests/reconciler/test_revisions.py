"""Keeping the history: on a change of the model only, and never in anybody's way."""

from scaleset_operator.reconciler.revisions import RETRY, RETRY_REFUSED
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE, set_spec

KEPT = (Verb.REVISIONS, Verb.REVISION)


def template(image: str) -> dict[str, object]:
    found: dict[str, object] = set_spec(3, image=image)["template"]
    return found


async def test_the_history_is_written_once_per_model() -> None:
    """G9: with its template; and in a set at rest nothing is asked or written."""
    stage = Stage()
    await stage.run(5)
    (kept,) = stage.world.book.kept.values()
    assert kept.data == template("web:1")
    assert kept.revision.model == stage.status()["latestModel"]
    assert len(stage.made(*KEPT)) == 2
    stage.change_spec(replicas=4)
    await stage.run(30)
    assert len(stage.made(*KEPT)) == 2


async def test_going_back_makes_no_second_object() -> None:
    """The older revision is the newest again."""
    stage = Stage()
    stage.change_spec(upgradePolicy={"mode": "Manual"})
    await stage.run(5)
    stage.change_spec(template=template("web:2"))
    await stage.run(5)
    stage.change_spec(template=template("web:1"))
    await stage.run(5)
    assert sorted(stage.world.book.numbers().values()) == [2, 3]
    assert stage.world.book.numbers()[stage.status()["latestModel"]] == 3


async def test_a_refused_template_is_no_revision() -> None:
    """Nobody would want to go back to it."""
    stage = Stage()
    await stage.run(5)
    broken = template("web:2")
    broken["spec"] = {"containers": []}
    stage.change_spec(template=broken)
    await stage.run(5)
    assert stage.condition("Accepted")["reason"] == "InvalidTemplate"
    assert list(stage.world.book.numbers().values()) == [1]


async def test_a_missing_right_holds_up_nothing() -> None:
    """The set comes up without a history, which is tried again much later."""
    stage = Stage()
    stage.operator.faults.script(Verb.REVISIONS, Fault.FORBIDDEN)
    await stage.run(5)
    assert len(stage.pods()) == 3
    assert not stage.world.book.kept
    stage.clock.advance(RETRY_REFUSED.total_seconds())
    await stage.turn()
    assert stage.world.book.kept


async def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    """The write may have been carried out: its name is taken then, and that is success."""
    stage = Stage()
    stage.operator.faults.script(Verb.REVISION, Fault.DROPPED)
    await stage.run(5)
    assert len(stage.pods()) == 3
    due = await stage.turn()
    assert due is not None
    assert due <= stage.clock.now() + RETRY
    stage.clock.advance(RETRY.total_seconds())
    await stage.turn()
    assert list(stage.world.book.numbers().values()) == [1]
    assert len(stage.made(Verb.REVISION)) == 1


async def test_the_name_of_another_set_s_revision_is_left_alone() -> None:
    """A set made anew under its old name waits until the old one's history was collected."""
    stage = Stage()
    await stage.run(5)
    ((key, kept),) = stage.world.book.kept.items()
    stage.world.book.kept[key] = kept._replace(owner_uid="somebody-else")
    stage.world.kill(stage.operator)
    stage.operator = stage.world.start()
    stage.reconciler = stage.operator.reconciler
    await stage.run(5)
    assert stage.world.book.kept[key].owner_uid == "somebody-else"
    del stage.world.book.kept[key]
    stage.clock.advance(RETRY.total_seconds())
    await stage.turn()
    assert stage.world.book.kept[NAMESPACE, key[1]].owner_uid != "somebody-else"

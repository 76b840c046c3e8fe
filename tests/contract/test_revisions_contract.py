"""The port `Revisions`: the history of a set's models, fake and real alike."""

from dataclasses import replace

import pytest

from scaleset_operator.core.revisions import Revision
from scaleset_operator.reconciler.ports import Conflict, Gone
from tests.contract.worlds import World, marked
from tests.support.builders import TEMPLATE

FIRST = Revision(name="web-m1", model="m1", number=1)
SECOND = Revision(name="web-m2", model="m2", number=2)


async def test_a_revision_that_was_written_is_in_the_list(world: World) -> None:
    """The history from which a rollout is undone."""
    owner = await world.make_set()
    assert await world.revisions.list_revisions(owner) == ()
    first = await world.revisions.write_revision(owner, FIRST)
    newer = replace(owner, template=marked(TEMPLATE, version="2"))
    second = await world.revisions.write_revision(newer, SECOND)
    assert first.uid
    assert first == replace(FIRST, uid=first.uid)
    found = await world.revisions.list_revisions(owner)
    assert set(found) == {first, second}
    templates = {one.model: one.template for one in found}
    assert templates == {"m1": owner.template, "m2": newer.template}


async def test_a_revision_is_another_set_s_or_ours(world: World) -> None:
    """Neither listed nor written over."""
    owner, other = await world.make_set(), await world.make_set("web-m1")
    await world.revisions.write_revision(owner, FIRST)
    assert await world.revisions.list_revisions(other) == ()
    with pytest.raises(Conflict):
        await world.revisions.write_revision(other, FIRST)


async def test_a_revision_is_numbered_anew_and_its_name_is_not_given_twice(world: World) -> None:
    """Going back to an older template."""
    owner = await world.make_set()
    first = await world.revisions.write_revision(owner, FIRST)
    with pytest.raises(Conflict):
        await world.revisions.write_revision(owner, FIRST)
    again = await world.revisions.write_revision(owner, replace(first, number=3))
    assert await world.revisions.list_revisions(owner) == (again,)
    assert (again.number, again.uid) == (3, first.uid)


async def test_a_revision_is_dropped_by_its_uid(world: World) -> None:
    """One that is gone is success; another object of that name is left alone."""
    owner = await world.make_set()
    first = await world.revisions.write_revision(owner, FIRST)
    with pytest.raises(Conflict):
        await world.revisions.drop_revision(owner, replace(first, uid="somebody-else"))
    await world.revisions.drop_revision(owner, first)
    await world.revisions.drop_revision(owner, first)
    assert await world.revisions.list_revisions(owner) == ()
    with pytest.raises(Gone):
        await world.revisions.write_revision(owner, replace(first, number=9))

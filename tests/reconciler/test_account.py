"""What the loop tells of its work: each end of a repair once, each accepted DELETE, each end."""

from collections import Counter

import pytest

from scaleset_operator.api.ledger import RepairRecord, RepairResult
from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.core.plan import Purpose
from scaleset_operator.reconciler.account import EvictionEnd
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.endpoints import STATUS_500
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE


class Book:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.repairs: list[RepairRecord] = []
        self.deletions: Counter[Purpose] = Counter()
        self.evictions: Counter[EvictionEnd] = Counter()
        self.moves: list[MaintenanceEntry] = []
        self.gone: list[Key] = []

    def repair_ended(self, key: Key, repair: RepairRecord) -> None:
        assert key == KEY
        self.repairs.append(repair)

    def deleted(self, key: Key, purpose: Purpose) -> None:
        assert key == KEY
        self.deletions[purpose] += 1

    def evicted(self, key: Key, end: EvictionEnd) -> None:
        self.evictions[end] += 1

    def move_ended(self, key: Key, move: MaintenanceEntry) -> None:
        self.moves.append(move)

    def forgotten(self, key: Key) -> None:
        self.gone.append(key)


@pytest.fixture
async def stage() -> Stage:
    """A set of three that has come up whole."""
    stage = Stage(3)
    stage.reconciler.account = Book()
    await stage.run(30)
    return stage


def book_of(stage: Stage) -> Book:
    book = stage.reconciler.account
    assert isinstance(book, Book)
    return book


async def repaired(stage: Stage, name: str = "web-1", within: int = 120) -> None:
    stage.world.endpoints.set(stage.pod(name).uid, STATUS_500)
    for _ in range(within):
        await stage.run(1)
        if stage.status()["repairs"].get("history"):
            return
    message = f"{name} was not repaired within {within} s"
    raise AssertionError(message)


async def test_the_end_of_a_repair_is_told_once_as_it_stands_in_the_history(stage: Stage) -> None:
    await repaired(stage)
    await stage.run(30)
    (told,) = book_of(stage).repairs
    (written,) = stage.status()["repairs"]["history"]
    assert told.model_dump(mode="json", by_alias=True, exclude_none=True) == written
    assert told.result is RepairResult.SUCCEEDED
    assert told.cause_reason == "WrongStatus"
    assert book_of(stage).deletions == {Purpose.REPAIR: 1}


async def test_an_end_that_could_not_be_recorded_is_not_told_before_it_is(stage: Stage) -> None:
    """A conflict throws the plan away, and with it what would have been counted."""
    stage.world.endpoints.set(stage.pod("web-1").uid, STATUS_500)
    while not stage.status()["repairs"].get("inFlight"):
        await stage.run(1)
    told = []
    for second in range(90):
        if second % 3:  # Two of three records meet a conflict.
            stage.operator.faults.script(Verb.STATUS, Fault.CONFLICT)
        await stage.run(1)
        history = stage.status()["repairs"].get("history", ())
        told.append(len(book_of(stage).repairs) - len(history))
    assert set(told) == {0}
    assert len(book_of(stage).repairs) == 1


async def test_a_refused_delete_is_no_deletion(stage: Stage) -> None:
    stage.operator.faults.script(Verb.DELETE, *[Fault.FORBIDDEN] * 20)
    stage.world.endpoints.set(stage.pod("web-1").uid, STATUS_500)
    await stage.run(40)
    assert stage.made(Verb.DELETE)
    assert book_of(stage).deletions == {}


async def test_deletions_are_told_with_their_purpose(stage: Stage) -> None:
    stage.change_spec(replicas=1)
    await stage.run(10)
    assert book_of(stage).deletions == {Purpose.SCALE_IN: 2}


async def test_a_set_that_is_gone_is_told_and_its_plan_forgotten(stage: Stage) -> None:
    assert set(stage.reconciler.last_plans()) == {KEY}
    stage.server.delete_resource("ScaleSet", NAMESPACE, KEY.name)
    await stage.run(3)
    assert KEY in book_of(stage).gone
    assert stage.reconciler.last_plans() == {}

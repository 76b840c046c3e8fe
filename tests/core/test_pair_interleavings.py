"""A pair's turn in every order of small steps: never both sides at work, and nobody waits for ever.

Two operators take windows' and sets' turns read by read and write by write, as `reconciler.pairs`
and `reconciler.closer` do, each from what it last heard. Every state is visited that can be reached
with each side wanting its turn once, at any time, and one bad thing: a window made anew, or a turn
cut off between two steps.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest

from scaleset_operator.api.windowledger import PairState, PairTurn
from scaleset_operator.core.pairturn import needs_look, next_turn, turn_for, turn_of_another
from tests.support.builders import T0

SIDES: Final = ("east", "west")
"""The turn stands in the first."""
AT_ONCE: Final = 2
"""Turns that are between two of their steps at one time."""
NOBODY: Final[frozenset[str]] = frozenset()
Rule = Callable[..., PairTurn | None]
Turn = tuple[str, PairState, str] | None


class Heard(NamedTuple):
    """The windows as an operator heard of them, or read them."""

    pair: str
    turn: Turn
    version: int


class Task(NamedTuple):
    """A turn under way: of the pair where `side` is empty, else of that side's set."""

    side: str
    seen: Heard
    wanting: tuple[str, ...] = ()
    busy: frozenset[str] | None = None


class World(NamedTuple):
    """What stands at the API server, what the operators heard, what is under way, and ahead."""

    edits: tuple[int, int]
    turn: Turn
    version: int
    wanted: frozenset[str]
    entries: frozenset[str]
    working: frozenset[str]
    heard: frozenset[Heard]
    tasks: frozenset[Task]
    ahead: frozenset[str]
    lucky: bool


def there(world: World) -> Heard:
    return Heard(str(world.edits), world.turn, world.version)


def packed(turn: PairTurn | None) -> Turn:
    return None if turn is None else (turn.holder, turn.state, turn.pair)


def model(turn: Turn) -> PairTurn | None:
    return None if turn is None else PairTurn(holder=turn[0], state=turn[1], pair=turn[2], time=T0)


def may_begin(seen: Heard, side: str) -> bool:
    return not turn_of_another(turn_for(model(seen.turn), seen.pair), side)


def begun(world: World, seen: Heard, side: str) -> World:
    """An operator takes up a turn by what it heard."""
    if not side:
        wanting = tuple(sorted(world.wanted | world.entries))
        return world._replace(tasks=world.tasks | {Task(side, seen, wanting)})
    if side in world.working:
        return world._replace(
            working=world.working - {side},
            wanted=world.wanted - {side},
            entries=world.entries - {side},
        )
    if side not in world.entries and not (side in world.wanted and may_begin(seen, side)):
        return world
    world = world._replace(entries=world.entries | {side})
    return world._replace(tasks=world.tasks | {Task(side, seen)})


def gone_on(world: World, task: Task, rule: Rule) -> World:
    """The next step of a turn: a live read, or what follows from it."""
    rest = world._replace(tasks=world.tasks - {task})
    if task.side and task.busy is None:  # Its record stands: both windows are read live.
        return rest._replace(tasks=rest.tasks | {task._replace(seen=there(world), busy=NOBODY)})
    if task.side:
        if task.side in world.entries and may_begin(task.seen, task.side):
            return rest._replace(working=world.working | {task.side})
        if any(other.side == task.side for other in rest.tasks):
            return rest  # Given up once nobody can act on it any more, by its record's lifetime.
        return rest._replace(entries=world.entries - ({task.side} - world.working))
    turn = turn_for(model(task.seen.turn), task.seen.pair)
    if task.busy is None and needs_look(turn, task.wanting):
        return rest._replace(tasks=rest.tasks | {task._replace(busy=world.entries)})
    new = packed(rule(turn, task.wanting, pair=task.seen.pair, busy=task.busy, now=T0))
    if task.seen.version != world.version or new == world.turn:
        return rest
    return rest._replace(turn=new, version=world.version + 1)


def following(world: World, rule: Rule) -> Iterator[World]:
    """Whatever may happen next."""
    for old in world.heard if len(world.heard) > 1 else NOBODY:
        yield world._replace(heard=world.heard - {old} | {there(world)})
    yield world._replace(heard=world.heard | {there(world)}) if len(world.heard) < 2 else world
    if len(world.tasks) < AT_ONCE:
        for seen in world.heard:
            yield from (begun(world, seen, side) for side in ("", *SIDES))
    for task in world.tasks:
        yield gone_on(world, task, rule)
    for side in world.ahead:
        yield world._replace(ahead=world.ahead - {side}, wanted=world.wanted | {side})
    if world.lucky:
        yield from bad_luck(world._replace(lucky=False))


def bad_luck(world: World) -> Iterator[World]:
    """A window is made anew, the first with its turn; or a turn is cut off."""
    first, second = world.edits
    yield world._replace(edits=(first + 1, second), turn=None, version=world.version + 1)
    yield world._replace(edits=(first, second + 1))
    for task in world.tasks:
        yield world._replace(tasks=world.tasks - {task})


def left_alone(world: World, rule: Rule) -> World:
    """One operator that hears everything at once, and nothing else happens any more."""
    world = world._replace(tasks=frozenset(), ahead=NOBODY, wanted=world.wanted | world.ahead)
    for _ in range(12):
        for side in ("", *SIDES):
            world = begun(world, there(world), side)
            while world.tasks:
                world = gone_on(world, next(iter(world.tasks)), rule)
    return world


def renumbered(world: World) -> World:
    """The same with versions as small as can be: only whether they are the same matters."""
    known = {world.version, *(h.version for h in world.heard)}
    known |= {task.seen.version for task in world.tasks}
    if max(known) < len(known):
        return world  # No number is left out.
    number = {version: rank for rank, version in enumerate(sorted(known))}

    def of(heard: Heard) -> Heard:
        return heard._replace(version=number[heard.version])

    return world._replace(
        version=number[world.version],
        heard=frozenset(of(heard) for heard in world.heard),
        tasks=frozenset(task._replace(seen=of(task.seen)) for task in world.tasks),
    )


def at_rest(turn: Turn, *, lucky: bool) -> World:
    """Nobody wants anything yet."""
    return World(
        edits=(1, 1),
        turn=turn,
        version=0,
        wanted=NOBODY,
        entries=NOBODY,
        working=NOBODY,
        heard=frozenset(),
        tasks=frozenset(),
        ahead=frozenset(SIDES),
        lucky=lucky,
    )


AFRESH: Final = at_rest(None, lucky=True)
FROM_BEFORE: Final = at_rest(("east", PairState.HELD, "(1, 1)"), lucky=False)
"""The turn still stands from an earlier maintenance."""


def faults(rule: Rule, start: World, most: int = 2_000_000) -> Iterator[str]:
    """What is wrong in any of the states that can be reached, up to so many of them."""
    found, ahead, ended = {start}, [start], set[World]()
    while ahead:
        world = ahead.pop()
        if len(world.working) > 1:
            yield f"both are at work: {world}"
        kept = world._replace(heard=frozenset(), tasks=frozenset(), version=0, lucky=False)
        if kept not in ended:
            ended.add(kept)
            last = left_alone(world, rule)
            if last.wanted or last.entries:
                yield f"somebody waits for ever: {world}, then {last}"
        new = {renumbered(after) for after in set(following(world, rule)) - found} - found
        found |= new
        ahead += new
        assert len(found) <= most, "the model has grown beyond what is looked through"
    assert len(found) > 10_000, "too little was looked at"


def at_once(turn: PairTurn | None, wanting: tuple[str, ...], **told: Any) -> PairTurn | None:
    """A rule that gives the turn up in one step."""
    if turn is not None and turn.holder not in wanting:
        turn = None
    return next_turn(turn, wanting, **told | {"busy": told["busy"] or NOBODY})


def blind(turn: PairTurn | None, wanting: tuple[str, ...], **told: Any) -> PairTurn | None:
    """A rule that takes no heed of who is at work."""
    return next_turn(turn, wanting, **told | {"busy": NOBODY})


def stubborn(turn: PairTurn | None, wanting: tuple[str, ...], **told: Any) -> PairTurn | None:
    """A rule by which a turn is kept for good."""
    return turn or next_turn(turn, wanting, **told)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("start", [AFRESH, FROM_BEFORE], ids=["afresh", "from before"])
def test_of_a_pair_one_is_at_work_at_most_and_both_get_their_turn(start: World) -> None:
    """M-17, V-07, V-27: in every order of steps, cut off anywhere, also with a window made anew."""
    assert list(faults(next_turn, start)) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("broken", "start", "fault"),
    [
        (at_once, FROM_BEFORE, "both"),
        (blind, AFRESH, "both"),
        (stubborn, FROM_BEFORE, "somebody waits"),
    ],
)
def test_a_rule_that_is_broken_is_noticed(broken: Rule, start: World, fault: str) -> None:
    """M-17."""
    assert next(faults(broken, start), "").startswith(fault)

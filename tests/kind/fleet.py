"""A set of 24 real instances that is repaired: what happens to the operator happens beside it.

Must not know: what happens to it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from tests.integration.sets import uids_of
from tests.integration.waiting import eventually

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.world import KindWorld

SIZE: Final = 24
REPAIRS: Final = {"gracePeriod": "PT5S"}
READY_S: Final = 120.0
REPAIRED_S: Final = 120.0


def start(world: KindWorld) -> None:
    """Make it, and wait until all are ready."""
    world.scale_set("web", SIZE, repairs=REPAIRS)
    world.await_ready("web", seconds=READY_S)


def await_replaced(world: KindWorld, pod: Json) -> None:
    """Wait until another instance stands in the place of this one."""
    eventually(
        partial(is_replaced, world, pod),
        f"{pod['metadata']['name']} is replaced",
        seconds=REPAIRED_S,
        told=lambda: world.told("web"),
    )
    world.await_ready("web", seconds=READY_S)


def is_replaced(world: KindWorld, pod: Json) -> bool:
    """Whether another instance stands in its place; not while the API server is away."""
    try:
        return pod["metadata"]["uid"] not in uids_of(world.pods("web"))
    except OSError:
        return False

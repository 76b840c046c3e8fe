"""Who asks: the one live pod of a set that has the address which a request came from.

The address is the connection's own; no header says anything about it. Must not know: HTTP, or what
is asked for.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from scaleset_operator.adapters.cluster.addressbook import spelled
from scaleset_operator.adapters.cluster.pods import PodRecord
from scaleset_operator.adapters.cluster.reflector import OUT_OF_TOUCH_S
from scaleset_operator.adapters.scheduled_events.answers import Code, later, stranger
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.ports import Key

NOT_LISTED_S: Final = 5


class Asker(NamedTuple):
    """An instance that asks.

    Attributes:
        pod: its namespace and name, and uid its UID.
        ip: its address, in the spelling of the pod's own status.
        scale_set: the set that controls it, and set_uid the UID of that.
        instance: the pod as the cache has it: what is ahead of it stands there.
    """

    pod: Key
    uid: str
    ip: str
    scale_set: Key
    set_uid: str
    instance: Instance | None = None


class View(Protocol):
    """The cache of the pods; may be asked from any thread."""

    def at(self, address: str) -> Sequence[PodRecord]:
        """The pods that have an address."""
        ...

    def cut_for(self) -> float | None:
        """Seconds since its watches stood, 0 while they do; None before the first lists."""
        ...


def asker_at(peer: str, view: View) -> Asker:
    """The instance behind the address of a connection.

    Raises:
        Declined: there is none, or it is not certain which one.
    """
    _check_sight(view)
    try:
        address = spelled(peer)
    except ValueError:
        message = "the connection has no address that can be read"
        raise stranger(Code.UNKNOWN_ASKER, message) from None
    return _only(address, view.at(address))


def _check_sight(view: View) -> None:
    cut_for = view.cut_for()
    if cut_for is None:
        message = "the operator has not listed the pods yet; ask again"
        raise later(Code.NOT_LISTED, message, seconds=NOT_LISTED_S)
    if cut_for > OUT_OF_TOUCH_S:
        # An address may have a new owner that is not known yet.
        message = f"the operator has not seen the pods for {cut_for:.0f} s; ask again"
        raise later(Code.OUT_OF_SIGHT, message, seconds=NOT_LISTED_S)


def _only(address: str, records: Sequence[PodRecord]) -> Asker:
    if not records:
        message = (
            f"{address}, where this request came from, is the address of no instance of a "
            "ScaleSet. An instance is known by the address in its pod's status.podIP; a proxy or "
            "a mesh on the way shows its own instead"
        )
        raise stranger(Code.UNKNOWN_ASKER, message)
    if any(record.instance.on_host for record in records):
        message = (
            f"{address} is the address of a node: an instance with hostNetwork cannot be told "
            "from anything else that runs there"
        )
        raise stranger(Code.HOST_NETWORK, message)
    live = [record for record in records if record.instance.live]
    if not live:
        message = f"the instance that had the address {address} is being deleted, or is over"
        raise stranger(Code.NOT_LIVE, message)
    if len(live) > 1:
        message = f"{len(live)} instances are known by the address {address}; ask again"
        raise stranger(Code.AMBIGUOUS_ADDRESS, message)
    return _asker(live[0])


def _asker(record: PodRecord) -> Asker:
    if record.owner is None:
        message = f"the pod {record.key.name} is controlled by no ScaleSet"
        raise stranger(Code.NO_SCALE_SET, message)
    return Asker(
        pod=record.key,
        uid=record.instance.uid,
        ip=record.instance.ip or "",
        scale_set=record.wakes,
        set_uid=record.owner.uid,
        instance=record.instance,
    )

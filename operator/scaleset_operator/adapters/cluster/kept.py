"""A collection of objects kept in step with the API server, each read into a value once.

Must not know: what the objects are, or what follows from a change.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from scaleset_operator.adapters.cluster.errors import cut
from scaleset_operator.adapters.cluster.reflector import Json

T = TypeVar("T")
log = logging.getLogger(__name__)


class Kept(Generic[T]):
    """The sink of one reflector.

    Attributes:
        whole: whether a list was taken in: before that, what is not known may be there.
    """

    def __init__(self, read: Callable[[Json], T | None], changed: Callable[[], None]) -> None:
        """Holds nothing yet.

        Args:
            read: from an object to what is kept of it; None where nothing is. It may raise
                ValueError for one that it does not understand: then what was kept of it stays.
            changed: called when what is kept has become another.
        """
        self._read = read
        self._changed = changed
        self._values: dict[tuple[str, str], T] = {}
        self.whole = False

    def values(self) -> tuple[T, ...]:
        """All that is kept, in the order of namespaces and names."""
        return tuple(self._values[key] for key in sorted(self._values))

    def put(self, obj: Json) -> None:
        """See the port."""
        key = _key(obj)
        try:
            value = self._read(obj)
        except ValueError as fault:
            log.warning("%s/%s is not understood: %s", *key, cut(str(fault)))
            return
        if value == self._values.get(key):
            return
        if value is None:
            del self._values[key]
        else:
            self._values[key] = value
        self._changed()

    def drop(self, obj: Json) -> None:
        """See the port."""
        if self._values.pop(_key(obj), None) is not None:
            self._changed()

    def listing(self) -> None:
        """See the port."""

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:  # noqa: ARG002 - the shape of Sink
        """See the port."""
        for key in [key for key in self._values if key not in names]:
            del self._values[key]
        self.whole = True
        self._changed()

    def reached(self, version: int) -> None:
        """See the port."""

    def in_touch(self) -> None:
        """See the port."""


def _key(obj: Json) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]

"""What custom resources have in common as they are heard: keys, versions, faults in words.

A newer resourceVersion never gives way to an older one. Must not know any one kind.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import ValidationError

from scaleset_operator.api.base import Model, Resource
from scaleset_operator.reconciler.ports import Key

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

R = TypeVar("R", bound=Resource)
Unreadable = dict[tuple[str, Key], str]
"""(kind, key) -> what is wrong with the resource."""
MOST_TOLD: Final = 5
LONGEST_TOLD: Final = 60


class ByKey(Generic[R]):
    """The resources of one kind as last heard, by key."""

    def __init__(self, model: type[R], unreadable: Unreadable) -> None:
        """Knows none yet.

        Args:
            model: what they are read as; its name is the kind's.
            unreadable: takes the fault of each that cannot be read.
        """
        self._model = model
        self._unreadable = unreadable
        self._there: dict[Key, R] = {}

    def put(self, body: Mapping[str, Any]) -> Key:
        """Take one in as the API server sent it, unless a newer one is known."""
        key = key_of(body)
        known = self._there.get(key)
        if known is not None and not is_newer(body, known):
            return key
        place = (self._model.__name__, key)
        try:
            self._there[key] = self._model.model_validate(body)
        except ValidationError as problem:
            self._unreadable[place] = in_words(problem)
            self._there.pop(key, None)
        else:
            self._unreadable.pop(place, None)
        return key

    def put_status(self, key: Key, status: Model, resource_version: str | None = None) -> None:
        """Take in what we have just written ourselves, unless a newer one was heard meanwhile.

        Args:
            key: whose status it is.
            status: the whole of it.
            resource_version: what the write gave; None where it is not known and stays.
        """
        known = self._there.get(key)
        if known is None:
            return
        changes: dict[str, object] = {"status": status}
        if resource_version is not None:
            if number_of(resource_version) < version_of(known):
                return
            said = {"resource_version": resource_version}
            changes["metadata"] = known.metadata.model_copy(update=said)
        self._there[key] = known.model_copy(update=changes)

    def drop(self, key: Key) -> None:
        """It is gone."""
        self._there.pop(key, None)
        self._unreadable.pop((self._model.__name__, key), None)

    def get(self, key: Key) -> R | None:
        """The one of this name, if there is one that can be read; from any thread."""
        return self._there.get(key)

    def keys(self) -> tuple[Key, ...]:
        """All that can be read; from any thread."""
        return tuple(self._there)

    def all(self) -> tuple[R, ...]:
        """The resources themselves; from any thread."""
        return tuple(self._there.values())


def in_words(fault: ValidationError) -> str:
    """Where what is wrong: the value with it only where it is a word and outside the template.

    It is logged, and a template may hold secrets.
    """
    return "; ".join(_in_words(error) for error in fault.errors(include_url=False)[:MOST_TOLD])


def _in_words(error: "ErrorDetails") -> str:
    place, value = ".".join(map(str, error["loc"])), error["input"]
    shown = isinstance(value, str | int | float) and "template" not in error["loc"]
    got = f", not {str(value)[:LONGEST_TOLD]!r}" if shown else ""
    return f"{place}: {error['msg']}{got}"


def key_of(body: Mapping[str, Any]) -> Key:
    """The key of a resource as the API server sent it."""
    meta = body["metadata"]
    return Key(meta.get("namespace", ""), meta["name"])


def is_newer(body: Mapping[str, Any], known: Resource) -> bool:
    """Whether what was sent is not older than what is known, or another object of that name."""
    meta = body["metadata"]
    if meta.get("uid") != known.metadata.uid:
        return True
    return number_of(meta.get("resourceVersion")) >= version_of(known)


def version_of(known: Resource) -> int:
    """The resourceVersion of a resource as heard."""
    return number_of(known.metadata.resource_version)


def number_of(resource_version: str | None) -> int:
    """A resourceVersion as a number: they are compared by their order."""
    return int(resource_version or 0)

"""What custom resources have in common as they are heard: keys, versions, faults in words.

Must not know any one kind.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from scaleset_operator.api.base import Resource
from scaleset_operator.reconciler.ports import Key

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MOST_TOLD: Final = 5
LONGEST_TOLD: Final = 60


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

"""Which model an instance is of: a short hash of the pod template, its images told apart.

Equal templates give equal models however an image reference is spelled, for the spelling is what
an in-place restart changes. Two models of one shape differ in the images of their containers only,
and a pod goes from one to the other in place (design.md section 3).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scaleset_operator.core.images import plain

PART_LENGTH: Final = 8
"""Hexadecimal digits of each half: a set sees few models, and a label should be readable."""
HASH_LENGTH: Final = 2 * PART_LENGTH + 1
"""Characters of a model: its shape, a dash, its images."""


def model_of(template: Mapping[str, Any]) -> str:
    """The model of a pod template, fit for a label value."""
    images = [plain(image) for _, image in images_of(template)]
    return f"{_hash(_shape(template))}-{_hash(images)}"


def shape_of(model: str) -> str:
    """The part of a model that in-place renewal cannot change."""
    return model.partition("-")[0]


def images_of(template: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(container, image) of a template's containers; init containers are part of its shape."""
    return tuple((c["name"], c["image"]) for c in _containers(template) if _is_whole(c))


def container_ports(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The ports that a template's containers declare, as they stand there."""
    return (port for one in _containers(template) for port in one.get("ports") or ())


def _containers(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = template.get("spec")
    found = spec.get("containers") if isinstance(spec, Mapping) else None
    return (c for c in found if isinstance(c, Mapping)) if isinstance(found, list) else iter(())


def _is_whole(container: Mapping[str, Any]) -> bool:
    """Whether it names itself and its image; the API server refuses any other."""
    return all(isinstance(container.get(key), str) for key in ("name", "image"))


def _shape(template: Mapping[str, Any]) -> object:
    spec = template.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("containers"), list):
        return _plain(template)
    bare = [
        {k: v for k, v in c.items() if k != "image" or not _is_whole(c)}
        if isinstance(c, Mapping)
        else c
        for c in spec["containers"]
    ]
    return _plain({**template, "spec": {**spec, "containers": bare}})


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:PART_LENGTH]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _image(key, _plain(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _image(key: object, value: object) -> object:
    return plain(value) if key == "image" and isinstance(value, str) else value

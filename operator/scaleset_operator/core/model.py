"""Which model an instance is of: a short hash of the pod template.

Equal templates give equal models however an image reference is spelled, for the spelling is what
an in-place restart changes (design.md section 3).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

HASH_LENGTH: Final = 10
"""Hexadecimal digits: 40 bits, for a set sees few models and a label should be readable."""

DEFAULT_REGISTRIES: Final = ("docker.io/library/", "docker.io/", "index.docker.io/")


def model_of(template: Mapping[str, Any]) -> str:
    """The model of a pod template, fit for a label value."""
    plain = json.dumps(_plain(template), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:HASH_LENGTH]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _image(key, _plain(inner)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value


def _image(key: object, value: object) -> object:
    if key == "image" and isinstance(value, str):
        for registry in DEFAULT_REGISTRIES:
            value = value.removeprefix(registry)
    return value

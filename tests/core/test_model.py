"""Which model an instance is of: a hash that no spelling of an image moves."""

from typing import Any

import pytest

from scaleset_operator.core.model import HASH_LENGTH, model_of


def template(image: str = "nginx:1", **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "web", "image": image}]}, **more}


@pytest.mark.parametrize(
    "image", ["docker.io/library/nginx:1", "docker.io/nginx:1", "index.docker.io/nginx:1"]
)
def test_another_spelling_of_the_same_image_is_the_same_model(image: str) -> None:
    """Design.md section 3: an in-place restart changes the spelling alone."""
    assert model_of(template(image)) == model_of(template())


@pytest.mark.parametrize(
    "other",
    [
        template("nginx:2"),
        template("other.io/nginx:1"),
        template(metadata={"labels": {"a": "b"}}),
        {"spec": {"containers": [{"name": "web", "image": "nginx:1"}], "image": 3}},
    ],
)
def test_any_other_difference_is_another_model(other: dict[str, Any]) -> None:
    """R-55: the latest model is the template's."""
    assert model_of(other) != model_of(template())


def test_the_order_of_keys_plays_no_part_and_the_hash_fits_a_label() -> None:
    """Design.md section 3."""
    one, other = template(metadata={"a": 1, "b": 2}), template(metadata={"b": 2, "a": 1})
    assert model_of(one) == model_of(other)
    assert len(model_of(one)) == HASH_LENGTH

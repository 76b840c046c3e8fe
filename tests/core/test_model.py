"""Which model an instance is of: a hash that no spelling of an image moves."""

from typing import Any

import pytest

from scaleset_operator.core.model import (
    HASH_LENGTH,
    container_ports,
    images_of,
    model_of,
    shape_of,
)


def template(image: str = "nginx:1", **more: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "web", "image": image}]}, **more}


@pytest.mark.parametrize(
    "image",
    ["docker.io/library/nginx:1", "docker.io/nginx:1", "index.docker.io/library/nginx:1"],
)
def test_another_spelling_of_the_same_image_is_the_same_model(image: str) -> None:
    """Design.md section 3: an in-place restart changes the spelling alone."""
    assert model_of(template(image)) == model_of(template())


def test_a_template_has_the_same_model_under_every_version_of_the_operator() -> None:
    """Another hash of the same template would roll out every set on an upgrade."""
    assert model_of(template()) == "211a3c42-6a5fa9a0"
    assert model_of({"spec": None}) == "c3cf6708-4f53cda1"
    containers = [{"name": "web", "image": "nginx:1"}, {"name": "log", "image": "log:2"}]
    labels = {"labels": {"app": "web", "b": "c"}}
    more = model_of({"metadata": labels, "spec": {"containers": containers}})
    assert more == "41758df7-a659fb30"


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


def test_models_that_differ_in_images_alone_have_one_shape() -> None:
    """R-56, design.md section 3: such a change can be made in place; no other can."""
    one, other = model_of(template()), model_of(template("nginx:2"))
    assert shape_of(one) == shape_of(other)
    assert shape_of(one) != shape_of(model_of(template(metadata={"labels": {"a": "b"}})))
    assert images_of(template()) == (("web", "nginx:1"),)


@pytest.mark.parametrize(
    "containers",
    [
        [{"name": "web", "image": "nginx:1"}, {"name": "log", "image": "log:1"}],
        [{"name": "other", "image": "nginx:1"}],
        [{"name": "web", "image": "nginx:1", "args": ["-v"]}],
    ],
)
def test_other_containers_are_another_shape(containers: list[dict[str, Any]]) -> None:
    """Design.md section 3: more than images differ."""
    other = model_of({"spec": {"containers": containers}})
    assert shape_of(other) != shape_of(model_of(template()))


def test_the_image_of_an_init_container_is_part_of_the_shape() -> None:
    """Design.md section 3: kubelet runs no init container again for it."""

    def with_init(image: str) -> str:
        init = [{"name": "first", "image": image}]
        return model_of({"spec": {**template()["spec"], "initContainers": init}})

    assert shape_of(with_init("init:1")) != shape_of(with_init("init:2"))
    assert with_init("init:1") == with_init("docker.io/library/init:1"), "however it is spelled"


def test_the_ports_are_those_of_all_containers() -> None:
    """P-05: whether the one that is probed is unambiguous hangs on it."""
    http, admin = {"name": "http", "containerPort": 80}, {"containerPort": 81}
    containers = [{"name": "a", "ports": [http]}, {"name": "b", "ports": None}, {"ports": [admin]}]
    assert list(container_ports({"spec": {"containers": [*containers, {}]}})) == [http, admin]


@pytest.mark.parametrize(
    "odd", [{}, {"spec": None}, {"spec": {"containers": [None, {"image": 1}]}}]
)
def test_a_template_that_is_none_still_has_a_model(odd: dict[str, Any]) -> None:
    """The API server's dry run says what is wrong with it; we do not fall over it."""
    assert len(model_of(odd)) == HASH_LENGTH
    assert images_of(odd) == ()

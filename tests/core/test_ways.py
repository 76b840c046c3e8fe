"""Which way an instance can be repaired or brought to the latest model: in its pod, or not."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.ledger import MAX_IMAGE_LENGTH, MAX_TARGET_IMAGES
from scaleset_operator.api.repairpolicy import RepairAction
from scaleset_operator.core.observed import NOT_MADE, Containers, Instance, TemplateView
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.ways import Way, way_of, why_replaced
from tests.core._stories import a_set, entry, ledger
from tests.support.builders import instance, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
HUB: Final = "docker.io/library/"
D: Final = "@sha256:" + "a" * 64
OLD, NEW, OTHER = "shape-old", "shape-new", "other-new"


def containers(*images: str, ids: tuple[str, ...] = (), restarts: int = 0) -> Containers:
    """Named web, c1, c2 and so on."""
    names = ("web", *(f"c{n}" for n in range(1, len(images))))[: len(images)]
    return Containers(
        names=names,
        images=images,
        image_ids=ids or ("",) * len(images),
        restarts=(restarts,) * len(images),
    )


def scene(pod: Instance, action: str = "Replace", **fields: Any) -> Scene:
    spec = {
        "policy": {"repairAction": action},
        "upgradePolicy": {"rollingUpgradePolicy": {"inPlaceIfPossible": True}},
    } | fields.pop("spec", {})
    template = TemplateView(model=NEW, images=(("web", fields.pop("latest", "web:2")),))
    seen = a_set(instances=(pod,), template=template, **fields)
    return Scene.of(scale_set_spec(**spec), seen, T0)


def pod(*images: str, model: str = OLD, **fields: Any) -> Instance:
    given = fields.pop("containers", None) or containers(*(images or ("web:1",)))
    return instance(model=model, containers=given, **fields)


def way(one: Instance, action: str, **fields: Any) -> Way | None:
    return way_of(scene(one, action, **fields), one)


@pytest.mark.parametrize(
    ("policy", "operation", "action"),
    [
        ("Replace", "", "Replace"),
        ("Restart", "", "Restart"),
        ("Reimage", "", "Reimage"),
        ("Replace", "restart", "Restart"),
        ("Restart", "reimage", "Reimage"),
    ],
)
def test_a_person_s_request_goes_before_the_owner_s_policy(
    policy: str, operation: str, action: str
) -> None:
    """R-56."""
    found = way(pod(operation=operation), policy)
    assert found is not None
    assert found.action == action
    assert bool(found.images) is (action != "Replace")


def test_a_restart_takes_another_spelling_of_what_runs() -> None:
    """R-56: of an older model, whatever the latest says; the digest only where it is known."""
    assert way(pod(), "Restart") == Way(RepairAction.RESTART, (f"{HUB}web:1",))
    known = containers("reg.io/web:1", ids=(f"reg.io/web{D}",))
    assert way(pod(containers=known), "Restart") == Way(RepairAction.RESTART, (f"reg.io/web:1{D}",))
    assert way(pod("reg.io/web:1"), "Restart") is None
    assert way(pod("web:1", "reg.io/x:1"), "Restart") is None, "every container or none"


def test_a_pinned_image_goes_back_to_the_model_s_tag_for_that_model_alone() -> None:
    """R-56: a digest that somebody wrote into the model is never dropped."""
    pinned = f"reg.io/web:1{D}"
    same = way(pod(pinned, model=NEW), "Restart", latest="reg.io/web:1")
    assert same == Way(RepairAction.RESTART, ("reg.io/web:1",))
    older = way(pod(pinned), "Restart", latest="reg.io/web:1")
    assert older == Way(RepairAction.RESTART, (f"reg.io/web{D}",))


def test_a_reimage_brings_the_latest_images_in_other_words_where_they_stand_already() -> None:
    """R-55, R-56."""
    assert way(pod(), "Reimage") == Way(RepairAction.REIMAGE, ("web:2",))
    there = way(pod("web:2", model=NEW), "Reimage")
    assert there == Way(RepairAction.REIMAGE, (f"{HUB}web:2",))
    known = containers("reg.io/web:1", ids=(f"reg.io/web{D}",))
    digest = way(pod(containers=known, model=NEW), "Reimage", latest="reg.io/web:1")
    assert digest == Way(RepairAction.REIMAGE, (f"reg.io/web:1{D}",))
    pinned = f"reg.io/web:1{D}"
    bare = way(pod(pinned, model=NEW), "Reimage", latest=pinned)
    assert bare == Way(RepairAction.REIMAGE, (f"reg.io/web{D}",))


def test_where_more_than_images_differ_a_reimage_is_a_replace() -> None:
    """R-55, X-11: with a note; a Restart stays what it is."""
    found = way(pod(model=OTHER), "Reimage")
    assert found is not None
    assert (found.action, found.images) == ("Replace", ())
    assert "Reimage becomes Replace" in found.note
    assert way(pod(model=OTHER), "Restart") == Way(RepairAction.RESTART, (f"{HUB}web:1",))


@pytest.mark.parametrize("action", ["Restart", "Reimage"])
def test_what_was_never_made_cannot_be_renewed(action: str) -> None:
    """R-56: kubelet has nothing to renew."""
    assert way(pod(containers=containers("web:1", restarts=NOT_MADE)), action) is None
    assert way(pod(containers=containers()), action) is None


@pytest.mark.parametrize("count", [1, MAX_TARGET_IMAGES, MAX_TARGET_IMAGES + 1])
def test_as_many_images_are_recorded_as_the_ledger_has_room_for(count: int) -> None:
    """Protocol rule 3: more than that could not be written down."""
    many = containers(*(f"c:{n}" for n in range(count)))
    found = way(pod(containers=many), "Restart")
    assert (found is not None) is (count <= MAX_TARGET_IMAGES)


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (1, False)])
def test_an_image_that_is_too_long_for_the_ledger_has_no_way(spare: int, *, fits: bool) -> None:
    """Protocol rule 3."""
    name = "w" * (MAX_IMAGE_LENGTH - len(HUB) + spare)
    assert (way(pod(name), "Restart") is not None) is fits


# --- Why a rollout replaces --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "fields", "why"),
    [
        (pod(), {}, ""),
        (pod(), {"spec": {"upgradePolicy": {"mode": "Rolling"}}}, "inPlaceIfPossible is false"),
        (pod(model=OTHER), {}, "the models differ in more than images"),
        (pod(started=None), {}, "its containers have never all run"),
        (pod(started=None, renewing=True), {}, ""),
        (pod("web:2"), {}, "it has these images already"),
        (pod(f"{HUB}web:2"), {}, "it has these images already"),
        (pod(), {"refused_until": {"web-1": T0 + SECOND}}, "the API server refused a write to it"),
        (pod(), {"refused_until": {"web-1": T0, "web-2": T0 + SECOND}}, ""),
        (pod(), {"status": ledger(entry(9, 1), last=9)}, "the repair that it closes goes on"),
    ],
)
def test_why_a_rollout_cannot_bring_it_to_the_latest_model_in_its_pod(
    one: Instance, fields: dict[str, Any], why: str
) -> None:
    """R-57, X-11: a stable reason, and none where it can."""
    assert why_replaced(scene(one, **fields), one) == why

"""Another spelling of the same image: what makes kubelet renew a container in place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.core.images import Reference, equivalent, plain

D = "@sha256:" + "a" * 64
E = "@sha256:" + "b" * 64


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("instance:dev", "docker.io/library/instance:dev"),
        ("instance", "docker.io/library/instance"),
        ("org/app:1", "docker.io/org/app:1"),
        (f"org/app:1{D}", f"docker.io/org/app:1{D}"),
    ],
)
def test_an_image_of_the_hub_goes_from_its_short_to_its_full_name_and_back(
    short: str, full: str
) -> None:
    """R-56, design.md section 3: no imageID is needed."""
    assert equivalent(short) == full
    assert equivalent(full) == short
    assert plain(full) == plain(short) == short


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("reg:5000/team/x:1", ("reg:5000/team/x", ":1", "")),
        ("reg:5000/x", ("reg:5000/x", "", "")),
        (f"reg:5000/x:1{D}", ("reg:5000/x", ":1", D)),
        (f"x{D}", ("x", "", D)),
    ],
)
def test_the_colon_of_a_port_is_no_tag(image: str, parts: tuple[str, str, str]) -> None:
    """R-56."""
    assert Reference.of(image) == parts


@pytest.mark.parametrize(
    "image", ["reg.io/x:1", "localhost/x:1", "localhost/a/b:1", "reg:5000/team/x:1", "reg.io/x"]
)
def test_any_other_image_takes_the_digest_of_its_own_image_id(image: str) -> None:
    """R-56: tag to tag and digest, as the container's imageID says."""
    repository = Reference.of(image).repository
    assert equivalent(image, f"{repository}{D}") == f"{image}{D}"
    assert equivalent(image, f"docker-pullable://{repository}{D}") == f"{image}{D}"


@pytest.mark.parametrize("image_id", ["", "sha256:" + "a" * 64, f"elsewhere.io/x{D}", "reg.io/x:1"])
def test_without_a_digest_of_its_repository_there_is_no_other_spelling(image_id: str) -> None:
    """R-56: neither resolves; a bare image id is known to no registry."""
    assert equivalent("reg.io/x:1", image_id) is None


def test_a_pinned_image_goes_back_to_the_tag_only_where_the_model_spells_it_so() -> None:
    """R-56: a digest that somebody wrote into the model is never dropped."""
    pinned = f"reg.io/x:1{D}"
    assert equivalent(pinned, wanted="reg.io/x:1") == "reg.io/x:1"
    assert equivalent(pinned, wanted=pinned) == f"reg.io/x{D}"
    assert equivalent(pinned, wanted="reg.io/x:2") == f"reg.io/x{D}"
    assert equivalent(pinned, wanted=f"reg.io/x:1{E}") == f"reg.io/x{D}"
    assert equivalent(pinned) == f"reg.io/x{D}"
    assert equivalent(f"reg.io/x{D}", wanted=pinned) == pinned
    assert equivalent(f"reg.io/x{D}") is None


PART = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
TAGS = st.one_of(st.just(""), PART.map(lambda tag: f":{tag}"))


@given(
    st.sampled_from(["", "org/", "reg.io/", "reg:5000/org/", "docker.io/", "docker.io/library/"]),
    PART,
    TAGS,
    st.sampled_from(["", D]),
)
def test_another_spelling_differs_in_text_and_names_the_same_image(
    place: str, name: str, tag: str, digest: str
) -> None:
    """R-56: repository the same, tag and digest never contradicted."""
    image = f"{place}{name}{tag}{digest}"
    found = equivalent(image, f"{place}{name}{D}", wanted=f"{place}{name}{tag}")
    if found is None:
        return
    assert found != image
    one, other = Reference.of(plain(image)), Reference.of(plain(found))
    assert one.repository == other.repository
    assert not one.tag or not other.tag or one.tag == other.tag
    assert not one.digest or not other.digest or one.digest == other.digest
    assert str(Reference.of(image)) == image

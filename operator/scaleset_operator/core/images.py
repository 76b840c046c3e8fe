"""Image references: which image one names, and another spelling of the same image.

Kubelet renews a container whose image reference changes, so a second spelling renews it without
another image (design.md section 3). Pure text; must not know pods, models or registries.
"""

from typing import Final, NamedTuple

HUB_HOSTS: Final = ("docker.io/", "index.docker.io/")
"""Spellings of the registry that a reference without a host means."""
HUB_LIBRARY: Final = "library/"
DIGEST: Final = "@sha256:"


class Reference(NamedTuple):
    """A reference in its parts.

    Attributes:
        repository: host and path, as spelled.
        tag: with its colon, or empty.
        digest: with its at sign, or empty.
    """

    repository: str
    tag: str
    digest: str

    @classmethod
    def of(cls, image: str) -> "Reference":
        """Take a reference apart; the colon of a registry's port is no tag."""
        name, at, digest = image.partition("@")
        path, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            return cls(name, "", at + digest)
        return cls(path, colon + tag, at + digest)

    def __str__(self) -> str:
        """The reference again."""
        return f"{self.repository}{self.tag}{self.digest}"


def plain(image: str) -> str:
    """The shortest spelling: without the host and the library that are understood anyway."""
    for host in HUB_HOSTS:
        image = image.removeprefix(host)
    return image.removeprefix(HUB_LIBRARY)


def equivalent(image: str, image_id: str = "", wanted: str = "") -> str | None:
    """Another spelling of the same image; None where none is known.

    An image of Docker Hub goes from its short to its full name and back; any other from its tag to
    tag and digest, and from there to the digest alone, or back to the tag where the model itself
    spells it so: a digest that somebody wrote into the model is never dropped.

    Args:
        image: as the pod spells it now.
        image_id: the container's imageID; tells the digest where it names the repository.
        wanted: as the latest model spells it, if the pod is of the latest model.
    """
    short = plain(image)
    if short != image:
        return short
    if _is_of_hub(image):
        return HUB_HOSTS[0] + (image if "/" in image else HUB_LIBRARY + image)
    reference, model = Reference.of(image), Reference.of(wanted)
    if not reference.digest:
        digest = _digest(reference.repository, image_id)
        return f"{image}{digest}" if digest else None
    if model.repository == reference.repository and wanted != image:
        drops = not model.digest and model.tag in (reference.tag, reference.tag or model.tag)
        if drops or model.digest == reference.digest:
            return wanted
    return str(reference._replace(tag="")) if reference.tag else None


def _is_of_hub(image: str) -> bool:
    host, slash, _ = image.partition("/")
    return not slash or not ("." in host or ":" in host or host == "localhost")


def _digest(repository: str, image_id: str) -> str:
    """The digest in an imageID of this repository; a bare image id is known to no registry."""
    named = image_id.rpartition("://")[2]
    found = Reference.of(named)
    same = plain(found.repository) == plain(repository)
    return found.digest if same and found.digest.startswith(DIGEST) else ""

"""The history of a set's models: which revisions are written, numbered anew, or dropped.

A revision keeps one template under a number that grows with every change, as StatefulSets and
DaemonSets do it, so that a rollout can be undone. Must not know how a revision is stored.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scaleset_operator.api.base import LABEL_PREFIX

MAX_REVISIONS: Final = 10
"""Revisions that are kept beside those that instances have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One template of the set.

    Attributes:
        name: of the object that keeps it, made from the model, so that no two keep the same.
        number: greater than that of every model before it.
        uid: of the object; empty while it is not written.
        template: that it keeps, where it was read; no part of what it is.
    """

    name: str
    model: str
    number: int
    uid: str = ""
    template: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What is to be done to the history.

    Attributes:
        write: the latest model's revision where it is missing, or is not the greatest in number.
        drop: revisions that are one too many, oldest first.
    """

    write: Revision | None = None
    drop: tuple[Revision, ...] = ()


def upkeep(
    set_name: str, known: Collection[Revision], model: str, in_use: Collection[str]
) -> Upkeep:
    """What the history needs now that this is the latest model; nothing where it is as it should.

    Going back to an older template gives its revision the next number, and no second object.

    Args:
        set_name: of the ScaleSet.
        known: the revisions there are.
        model: of the present template.
        in_use: models of the set's pods; their revisions stay however many there are.
    """
    newest = max((r.number for r in known), default=0)
    mine = next((r for r in known if r.model == model), None)
    write: Revision | None = None
    if mine is None:
        write = Revision(name=f"{set_name}-{model}", model=model, number=newest + 1)
    elif mine.number < newest:
        write = Revision(name=mine.name, model=model, number=newest + 1, uid=mine.uid)
    idle = [r for r in known if r.model != model and r.model not in in_use]
    idle.sort(key=lambda r: r.number)
    return Upkeep(write=write, drop=tuple(idle[: max(0, len(idle) - MAX_REVISIONS)]))


def after(known: Iterable[Revision], done: Upkeep) -> tuple[Revision, ...]:
    """The history once this was carried out, oldest first."""
    gone = {r.name for r in done.drop} | ({done.write.name} if done.write else set())
    kept = [r for r in known if r.name not in gone]
    return tuple(sorted([*kept, *([done.write] if done.write else [])], key=lambda r: r.number))


def called(model: str, numbers: Mapping[str, int]) -> str:
    """What a model is called where people read of it: its hash, and its revision where known.

    Args:
        model: the value of the label `scaleset.dev/model`.
        numbers: model -> number of its revision.
    """
    number = numbers.get(model)
    return f"model {model}" if number is None else f"model {model}, revision {number}"


def labels_given(template: Mapping[str, Any]) -> frozenset[str]:
    """The keys of the labels that its instances have from it; none of ours is taken from one."""
    metadata = template.get("metadata") or {}
    labels: Mapping[str, str] = metadata.get("labels") or {}
    return frozenset(key for key in labels if not key.startswith(f"{LABEL_PREFIX}/"))

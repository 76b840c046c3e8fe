"""Manifests from a file: the one ScaleSet with what belongs to it, or one MaintenanceWindow.

Refuses what could not be used, naming document and field. Must not know: what is done
with them.
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from scaleset_operator.api.base import GROUP
from scaleset_operator.cli.failures import Failure
from scaleset_operator.reconciler.versions import in_words
from scaleset_operator.rehearsal.resources import SPECS

Json = dict[str, Any]

STDIN: Final = "-"
SNAPSHOT_TIME: Final = f"{GROUP}/snapshot-time"
"""Annotation of the List that a snapshot is kept as."""
MAX_BYTES: Final = 64 * 1024 * 1024
"""A snapshot of a set of thousands of pods fits; an endless file does not."""
KINDS: Final = ("ScaleSet", "HealthProbe", "PodDisruptionBudget", "Pod", "Node")
WINDOW: Final = "MaintenanceWindow"
"""Of a snapshot it counts, for it was announced; of manifests nobody announces it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """What a rehearsal begins with.

    Attributes:
        scale_set: the one that is rehearsed.
        others: of the other kinds, in the order of the file.
        ignored: kinds that stand there and mean nothing here.
        taken: when, if it is a snapshot that says so.
    """

    scale_set: Json
    others: Sequence[Json] = ()
    ignored: Sequence[str] = field(default=())
    taken: datetime | None = None

    @property
    def is_snapshot(self) -> bool:
        """Whether the set is one that an API server holds, and not one that is to be made."""
        return bool(self.scale_set["metadata"].get("uid"))

    def missing_probes(self) -> list[str]:
        """Names of HealthProbes that the set names and the file does not have."""
        spec = self.scale_set.get("spec") or {}
        refs = (spec.get(name) or {} for name in ("healthProbeRef", "rotationProbeRef"))
        named = {ref["name"] for ref in refs if "name" in ref}
        return sorted(named - {probe["metadata"]["name"] for probe in self.of("HealthProbe")})

    def of(self, kind: str) -> list[Json]:
        """The others of one kind."""
        return [body for body in self.others if body["kind"] == kind]


def read_file(path: str, name: str | None, namespace: str | None) -> Manifests:
    """The manifests of a file.

    Args:
        path: of the file; - for standard input.
        name: of the ScaleSet that is meant; None where there is but one.
        namespace: for objects that name none.

    Raises:
        Failure: it cannot be read, or holds no ScaleSet that can be used.
    """
    documents = _documents(path)
    times = [_taken(document) for document in documents if document.get("kind") == "List"]
    found = sort_out(_bodies(documents, path), path, name, namespace)
    return replace(found, taken=next((time for time in times if time is not None), None))


def read_window(path: str, name: str | None, namespace: str | None) -> Json:
    """The MaintenanceWindow of a file; arguments and errors are those of `read_file`."""
    bodies = [_placed(body, namespace or "default") for body in _bodies(_documents(path), path)]
    windows = [body for body in bodies if body["kind"] == "MaintenanceWindow"]
    if not windows:
        line = f"{path} has no MaintenanceWindow"
        raise Failure(line)
    meant = _named(windows, path, name)
    if len(meant) > 1:
        line = f"{path} has the MaintenanceWindows {_listed(meant)}: name the one that is meant"
        raise Failure(line)
    _check(meant[0], path)
    return meant[0]


def _taken(document: Json) -> datetime | None:
    marks = (document.get("metadata") or {}).get("annotations") or {}
    try:
        return datetime.fromisoformat(str(marks.get(SNAPSHOT_TIME)))
    except ValueError:
        return None


def sort_out(
    found: Sequence[Json], path: str, name: str | None, namespace: str | None
) -> Manifests:
    """The manifests among the documents of a file; raises as `read_file`."""
    bodies = [_placed(body, namespace or "default") for body in found]
    chosen = _chosen([b for b in bodies if b["kind"] == "ScaleSet"], path, name, namespace)
    home = chosen["metadata"]["namespace"]
    kinds = (*KINDS, WINDOW) if chosen["metadata"].get("uid") else KINDS
    others = [b for b in bodies if b["kind"] in kinds[1:] and _near(b, home)]
    ignored = sorted({b["kind"] for b in bodies if b["kind"] not in kinds})
    for body in (chosen, *others):
        _check(body, path)
    return Manifests(scale_set=chosen, others=others, ignored=ignored)


def _chosen(sets: Sequence[Json], path: str, name: str | None, namespace: str | None) -> Json:
    """The one that is meant: by its name, and by its namespace where that leaves more than one."""
    if not sets:
        line = f"{path} has no ScaleSet to rehearse"
        raise Failure(line)
    meant = _named(sets, path, name)
    there = [one for one in meant if one["metadata"]["namespace"] == namespace]
    left = there if len(meant) > 1 and there else meant
    if len(left) == 1:
        return left[0]
    if len({one["metadata"]["name"] for one in left}) > 1:
        how = f"name it: kubectl scaleset simulate {left[0]['metadata']['name']} -f {path}"
    elif len({one["metadata"]["namespace"] for one in left}) > 1:
        how = "say in which namespace: -n NAMESPACE"
    else:
        how = "they are one and the same: leave all but one out"
    line = f"{path} has the ScaleSets {_listed(left)}, and one is rehearsed at a time; {how}"
    raise Failure(line)


def _named(found: Sequence[Json], path: str, name: str | None) -> list[Json]:
    """Those of one kind that have a name, or all where none is given; at least one."""
    meant = [one for one in found if name in (None, one["metadata"]["name"])]
    if not meant:
        line = f"{path} has no {found[0]['kind']} {name!r}: it has {_listed(found)}"
        raise Failure(line)
    return meant


def _listed(sets: Sequence[Json]) -> str:
    """Their names; with the namespaces where they are not of one."""
    places = [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in sets]
    alike = len({namespace for namespace, _ in places}) == 1
    return ", ".join(name if alike else f"{namespace}/{name}" for namespace, name in places)


def _near(body: Json, namespace: str) -> bool:
    place: str = body["metadata"]["namespace"]
    return body["kind"] == "Node" or place == namespace


def _documents(path: str) -> list[Json]:
    try:
        found = [d for d in yaml.safe_load_all(_text(path)) if d is not None]
    except yaml.YAMLError as fault:
        line = f"{path} is no YAML: {fault}"
        raise Failure(line) from fault
    for number, document in enumerate(found, 1):
        if not isinstance(document, dict):
            line = f"{path}, document {number} is no manifest: it has no kind"
            raise Failure(line)
    return found


def _bodies(documents: Sequence[Json], path: str) -> list[Json]:
    """The objects of the documents, those of lists included."""
    found: list[Json] = []
    for number, document in enumerate(documents, 1):
        rows = document.get("items")
        for body in rows if isinstance(rows, list) else [document]:
            if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
                line = f"{path}, document {number} is no manifest: it has no kind"
                raise Failure(line)
            if not isinstance((body.get("metadata") or {}).get("name"), str):
                line = f"{path}, document {number}: {body['kind']} has no metadata.name"
                raise Failure(line)
            found.append(body)
    return found


def _text(path: str) -> str:
    try:
        if path == STDIN:
            return sys.stdin.read(MAX_BYTES)
        with Path(path).open(encoding="utf-8") as opened:
            return opened.read(MAX_BYTES)
    except (OSError, UnicodeDecodeError) as fault:
        line = f"-f is {path!r}, which cannot be read: {getattr(fault, 'strerror', fault)}"
        raise Failure(line) from fault


def _placed(body: Json, namespace: str) -> Json:
    meta = {"namespace": namespace, **body["metadata"]}
    return {**body, "metadata": meta}


def _check(body: Json, path: str) -> None:
    model = SPECS.get(body["kind"])
    if model is None:
        return
    spec, what = body.get("spec") or {}, f"{path}: {body['kind']} {body['metadata']['name']}"
    try:
        read = model.model_validate(spec)
    except ValidationError as fault:
        line = f"{what}: {in_words(fault)}"
        raise Failure(line) from fault
    unknown = sorted(_unknown(spec, read.model_dump(by_alias=True), "spec"))
    if unknown and not body["metadata"].get("uid"):
        # Of an object that an API server holds, a newer version may know them.
        line = f"{what}: {', '.join(unknown)}: no such field"
        raise Failure(line)


def _unknown(given: Json, known: Json, path: str) -> Iterator[str]:
    """Paths of the fields that reading left out."""
    for name, value in given.items():
        if name not in known:
            yield f"{path}.{name}"
        elif isinstance(value, dict) and isinstance(known[name], dict):
            yield from _unknown(value, known[name], f"{path}.{name}")

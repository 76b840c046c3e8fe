"""What an account may do by a pile of manifests: roles and bindings, added up.

Must not know: what anybody ought to be granted.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleset_operator.cli.diagnosis.rights import Right

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]


class Grant(NamedTuple):
    """One right, where it holds and for which names; no namespace is everywhere."""

    right: Right
    namespace: str = ""
    names: tuple[str, ...] = ()


def granted(objects: Iterable[Json], account: str) -> set[Grant]:
    """All that these bindings give the account of this name."""
    things = [*objects]
    roles = {_place(thing): thing for thing in things if thing["kind"] in {"Role", "ClusterRole"}}
    found: set[Grant] = set()
    for thing in things:
        if thing["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        if not any(one["name"] == account for one in thing["subjects"]):
            continue
        namespace = thing["metadata"].get("namespace", "")
        kind, name = thing["roleRef"]["kind"], thing["roleRef"]["name"]
        role = roles[kind, namespace if kind == "Role" else "", name]
        found |= {
            Grant(right, namespace, names)
            for rule in role["rules"]
            for right, names in of_rule(rule)
        }
    return found


def of_rule(rule: Json) -> Iterator[tuple[Right, tuple[str, ...]]]:
    """Every right that one rule of a role gives, and for which names."""
    names = tuple(rule.get("resourceNames", ()))
    for group, whole, verb in product(rule["apiGroups"], rule["resources"], rule["verbs"]):
        resource, _, part = whole.partition("/")
        yield Right(verb, group, resource, part), names


def _place(thing: Json) -> tuple[str, str, str]:
    meta = thing["metadata"]
    return thing["kind"], meta.get("namespace", ""), meta["name"]

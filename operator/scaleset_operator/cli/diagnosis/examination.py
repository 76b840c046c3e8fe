"""Reads what the checks need, and makes each of them; what may not be read makes it Unknown.

The only part of `doctor` that speaks to the cluster. Must not know: what a check concludes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from scaleset_operator.api.base import FIELD_MANAGER, GROUP, VERSION
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.diagnosis import clock, definitions, life, policies, rights, sets
from scaleset_operator.cli.diagnosis.check import Check, Verdict
from scaleset_operator.cli.diagnosis.rights import Right
from scaleset_operator.cli.failures import Forbidden, NotThere
from scaleset_operator.cli.kinds import (
    ACCESS_REVIEWS,
    DEFINITIONS,
    HEALTH_PROBES,
    LEASES,
    MAINTENANCE_WINDOWS,
    NETWORK_POLICIES,
    OWN_ACCESS_REVIEWS,
    PODS,
    SCALE_SETS,
)
from scaleset_operator.cli.ports import Entrance, Json

if TYPE_CHECKING:
    from scaleset_operator.core.policies import Policy

OPERATOR_LABEL = f"app.kubernetes.io/name={FIELD_MANAGER}"
"""By which the operator's own pods are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is examined.

    Attributes:
        namespace: None for all.
        operator: user name of the operator, where it was given.
    """

    access: Access
    entrance: Entrance
    namespace: str | None
    operator: str | None = None


async def examine(scope: Scope) -> list[Check]:
    """Make every check, in the order in which one depends on the other.

    Raises:
        Failure: the cluster cannot be asked at all.
    """
    skew, now = await _clock(scope)
    kinds = await _definitions(scope)
    found = [kinds, skew, *await _rights(scope)]
    if kinds.verdict is Verdict.FAILED:
        return found
    try:
        scale_sets = await scope.access.items(SCALE_SETS, scope.namespace)
    except Forbidden as fault:
        name = sets.ACCEPTED
        return [*found, Check(name=name, verdict=Verdict.UNKNOWN, message=str(fault))]
    return [
        *found,
        life.alive(scale_sets, now, await _leases(scope)),
        sets.accepted(scale_sets),
        *await _probes(scope, scale_sets),
        await _windows(scope),
    ]


async def _clock(scope: Scope) -> tuple[Check, datetime]:
    """The check, and what time it is by the API server."""
    asked = scope.entrance.now()
    said = await scope.access.date()
    answered = scope.entrance.now()
    return clock.skew(asked, said, answered), said or answered


async def _definitions(scope: Scope) -> Check:
    names = await scope.access.served(GROUP, VERSION)
    try:
        found = await scope.access.items(DEFINITIONS, None)
    except Forbidden:
        return definitions.served(names, None)
    return definitions.served(names, {item["metadata"]["name"]: item for item in found})


async def _rights(scope: Scope) -> list[Check]:
    """Of the caller for the plugin and for the operator's work, and of the operator itself."""
    needed = dict.fromkeys((*rights.READING, *rights.WRITING, *rights.OPERATOR))
    try:
        own = await _ask(scope, needed, None, scope.namespace)
    except Forbidden as fault:
        message = str(fault)
        return [Check(name="rights of the plugin", verdict=Verdict.UNKNOWN, message=message)]
    return [
        rights.of_the_caller(own),
        rights.of_the_caller_as_operator(own),
        await _operators_rights(scope),
    ]


async def _operators_rights(scope: Scope) -> Check:
    """Those of its work, of the election where there is one, and to the node agents' reports."""
    pods = await _read(lambda: scope.access.items(PODS, None, labels=OPERATOR_LABEL))
    user = scope.operator or _user_of(pods)
    if user is None:
        return rights.of_the_operator(None, None)
    place = rights.place_of_election(pods, await _leases(scope))
    home = place or next((str(pod["metadata"]["namespace"]) for pod in pods), None)
    try:
        theirs = await _ask(scope, rights.OPERATOR, user, scope.namespace)
        if place is not None:
            theirs |= await _ask(scope, rights.ELECTION, user, place)
        if home is not None:
            theirs |= await _ask(scope, rights.REPORTS, user, home)
    except Forbidden:
        return rights.of_the_operator(user, None)
    return rights.of_the_operator(user, theirs, elects=place is not None, placed=home is not None)


async def _ask(
    scope: Scope, needed: Iterable[Right], user: str | None, namespace: str | None
) -> dict[Right, bool]:
    """One review for each right, all at once."""
    kind = OWN_ACCESS_REVIEWS if user is None else ACCESS_REVIEWS

    async def allowed(right: Right) -> bool:
        body = rights.review(kind.word, right, namespace, user)
        answer = await scope.access.create(kind, None, body)
        return bool((answer.get("status") or {}).get("allowed"))

    asked = list(needed)
    answers = await asyncio.gather(*(allowed(right) for right in asked))
    return dict(zip(asked, answers, strict=True))


def _user_of(pods: Iterable[Json]) -> str | None:
    for pod in pods:
        account = pod["spec"].get("serviceAccountName") or "default"
        return f"system:serviceaccount:{pod['metadata']['namespace']}:{account}"
    return None


async def _leases(scope: Scope) -> list[Json]:
    """The operator's, wherever it runs."""
    found = await _read(lambda: scope.access.items(LEASES, None))
    return [lease for lease in found if lease["metadata"]["name"].startswith(FIELD_MANAGER)]


async def _probes(scope: Scope, scale_sets: Sequence[Json]) -> list[Check]:
    """The probes, and the way to the instances."""
    try:
        found = await scope.access.items(HEALTH_PROBES, scope.namespace)
    except Forbidden as fault:
        return [Check(name=sets.PROBES, verdict=Verdict.UNKNOWN, message=str(fault))]
    by_name = {(p["metadata"]["namespace"], p["metadata"]["name"]): p for p in found}
    reached = sets.reached(scale_sets, by_name)
    try:
        walls = await scope.access.items(NETWORK_POLICIES, scope.namespace)
    except Forbidden as fault:
        unread = Check(name=policies.NAME, verdict=Verdict.UNKNOWN, message=str(fault))
        return [reached, unread]
    by_namespace: dict[str, list[Policy]] = {}
    for wall in walls:
        policy = scope.access.read_policy(wall)
        if policy is not None:
            by_namespace.setdefault(wall["metadata"]["namespace"], []).append(policy)
    return [reached, policies.admitting(scale_sets, by_name, by_namespace)]


async def _windows(scope: Scope) -> Check:
    try:
        found = await scope.access.items(MAINTENANCE_WINDOWS, scope.namespace)
    except Forbidden as fault:
        return Check(name=sets.WINDOWS, verdict=Verdict.UNKNOWN, message=str(fault))
    return sets.accepted(found, sets.WINDOWS)


async def _read(look: Callable[[], Awaitable[list[Json]]]) -> list[Json]:
    """What may be read of it: nothing, where the caller has no right."""
    try:
        return await look()
    except (Forbidden, NotThere):
        return []

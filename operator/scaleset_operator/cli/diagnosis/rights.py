"""Which rights the operator and the plugin need, and what it means that some are missing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from scaleset_operator.api.base import GROUP
from scaleset_operator.cli.diagnosis.check import Check, Verdict, named
from scaleset_operator.cli.ports import Json


class Right(NamedTuple):
    """One verb on one resource, as `kubectl auth can-i` names it."""

    verb: str
    group: str
    resource: str
    subresource: str = ""

    def word(self) -> str:
        """For people."""
        whole = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {whole}" + (f"/{self.subresource}" if self.subresource else "")

    def attributes(self, namespace: str | None) -> dict[str, str]:
        """The resourceAttributes of an access review; without a namespace, in all."""
        asked = {
            "namespace": namespace or "",
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
        }
        return {key: value for key, value in asked.items() if value}


def _each(verbs: str, group: str, resource: str, subresource: str = "") -> tuple[Right, ...]:
    return tuple(Right(verb, group, resource, subresource) for verb in verbs.split())


OPERATOR: Final = (
    # Read live where two windows are a pair.
    *_each("list watch", GROUP, "scalesets"),
    *_each("patch", GROUP, "scalesets", "status"),
    # Asked where OwnerReferencesPermissionEnforcement is on, as on OpenShift, of whoever creates
    # what blocks the deletion of its owner.
    *_each("update", GROUP, "scalesets", "finalizers"),
    *_each("list watch", GROUP, "healthprobes"),
    *_each("patch", GROUP, "healthprobes", "status"),
    *_each("get list watch", GROUP, "maintenancewindows"),
    *_each("patch", GROUP, "maintenancewindows", "status"),
    *_each("list watch", GROUP, "outboundrules"),
    *_each("patch", GROUP, "outboundrules", "status"),
    *_each("get list watch create patch delete", "", "pods"),
    *_each("patch", "", "pods", "status"),
    *_each("create", "", "pods", "eviction"),
    *_each("list watch", "", "nodes"),
    *_each("create patch", "events.k8s.io", "events"),
    *_each("list create patch delete", "apps", "controllerrevisions"),
    *_each("list watch", "policy", "poddisruptionbudgets"),
    *_each("list", "networking.k8s.io", "networkpolicies"),
)
"""What `scaleset-operator run` asks of the API server."""
NODE_WORK: Final = _each("patch", "", "nodes")
"""What windows with nodeMaintenance need beyond that: wide, and granted on demand alone."""
NODE_JOBS: Final = _each("get create delete", "batch", "jobs")
"""Likewise in the windows' namespaces."""
ELECTION: Final = _each("get create update", "coordination.k8s.io", "leases")
"""What `--leader-elect` asks beyond that, in the namespace of the Lease alone."""
REPORTS: Final = _each("get list watch", "coordination.k8s.io", "leases")
"""What it reads there of the node agents, under any name: their reports on ports and on pauses."""
OWN_PLACE: Final = (*_each("get", "", "namespaces"), *_each("get", "", "pods"))
"""What it reads in its own namespace where it may: which labels and addresses a NetworkPolicy in
its way would have to admit."""
AGENT: Final = (*_each("list watch", "", "pods"), *_each("list watch", GROUP, "outboundrules"))
"""What `scaleset-operator agent` asks of the API server; no role can hold it to its own node."""
AGENT_REPORT: Final = _each("create patch", "coordination.k8s.io", "leases")
"""What it needs beyond that in the operator's namespace."""
READING: Final = (
    *_each("get list watch", GROUP, "scalesets"),
    *_each("get", GROUP, "healthprobes"),
    *_each("get list", "", "pods"),
    *_each("get list", GROUP, "maintenancewindows"),
    *_each("list", GROUP, "outboundrules"),
)
"""What the plugin needs to show anything."""
WRITING: Final = (*_each("patch", GROUP, "scalesets"), *_each("patch", "", "pods"))
"""What it needs beyond that to change anything."""

CLUSTER_WIDE: Final = frozenset({"nodes"})
"""Resources outside of namespaces."""


def of_the_caller(answers: Mapping[Right, bool]) -> Check:
    """What the plugin may do for this user."""
    name = "rights of the plugin"
    unread = _missing(answers, READING)
    if unread:
        message = f"you may not {named(unread)}"
        return Check(name=name, verdict=Verdict.FAILED, message=message)
    unwritten = _missing(answers, WRITING)
    if unwritten:
        message = f"you may look, and may not {named(unwritten)}: commands that change are refused"
        return Check(name=name, verdict=Verdict.NOTE, message=message)
    message = f"you hold all {len(READING) + len(WRITING)} rights that its commands need"
    return Check(name=name, verdict=Verdict.OK, message=message)


def of_the_caller_as_operator(answers: Mapping[Right, bool]) -> Check:
    """Whether `scaleset-operator run` would work with this user's kubeconfig."""
    name = "rights to run the operator"
    missing = _missing(answers, OPERATOR)
    if missing:
        held = len(OPERATOR) - len(missing)
        message = f"you hold {held} of {len(OPERATOR)}; you may not {named(missing)}"
        hint = "needed only where the operator runs as you"
        return Check(name=name, verdict=Verdict.NOTE, message=message, hint=hint)
    message = f"you hold all {len(OPERATOR)}"
    return Check(name=name, verdict=Verdict.OK, message=message)


def of_the_operator(
    user: str | None,
    answers: Mapping[Right, bool] | None,
    *,
    elects: bool = False,
    placed: bool = False,
) -> Check:
    """What the operator's own account may do.

    Args:
        user: whom it runs as; None where that is not known.
        answers: None where the API server does not tell us.
        elects: whether it is one of several replicas.
        placed: whether its own namespace is known, in which node agents report.
    """
    name = "rights of the operator"
    if user is None:
        message = "its account is not known: no pod of the operator was found"
        hint = "--operator system:serviceaccount:NAMESPACE:NAME names it"
        return Check(name=name, verdict=Verdict.UNKNOWN, message=message, hint=hint)
    if answers is None:
        message = f"{user} cannot be asked about: you may not create subjectaccessreviews"
        return Check(name=name, verdict=Verdict.UNKNOWN, message=message)
    beside = (*(ELECTION if elects else ()), *(REPORTS if placed else ()))
    needed = (*OPERATOR, *dict.fromkeys(beside))
    missing = _missing(answers, needed)
    if missing:
        message = f"{user} may not {named(missing)}"
        return Check(name=name, verdict=Verdict.FAILED, message=message)
    message = f"{user} holds all {len(needed)}"
    return Check(name=name, verdict=Verdict.OK, message=message)


def place_of_election(pods: Iterable[Json], leases: Iterable[Json]) -> str | None:
    """The namespace of the operator's Lease: where one is, else where its pods would make one.

    Returns:
        None where nothing says that it elects a leader.
    """
    for lease in leases:
        return str(lease["metadata"]["namespace"])
    for pod in pods:
        for container in pod["spec"].get("containers") or ():
            words = [*(container.get("command") or ()), *(container.get("args") or ())]
            variables = {e["name"]: e.get("value") for e in container.get("env") or ()}
            given = _options(words)
            if "--leader-elect" in given or variables.get("SCALESET_RUN_LEADER_ELECT") == "true":
                told = variables.get("SCALESET_RUN_LEADER_ELECT_NAMESPACE")
                namespace = given.get("--leader-elect-namespace") or told
                return namespace or str(pod["metadata"]["namespace"])
    return None


def _options(words: Sequence[str]) -> Mapping[str, str]:
    """Option -> its value, whether behind `=` or in the next word."""
    pairs = zip(words, [*words[1:], ""], strict=True)
    split = ((*word.partition("="), after) for word, after in pairs)
    return {option: value if equals else after for option, equals, value, after in split}


def review(kind: str, right: Right, namespace: str | None, user: str | None) -> dict[str, Any]:
    """The body of an access review; with a user, of a SubjectAccessReview.

    Args:
        kind: of the review.
        right: asked about.
        namespace: None for all; a right outside of namespaces is asked without one.
        user: a user name; a service account's groups follow from it.
    """
    place = None if right.resource in CLUSTER_WIDE else namespace
    spec: dict[str, Any] = {"resourceAttributes": right.attributes(place)}
    if user is not None:
        spec |= {"user": user, "groups": groups_of(user)}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


def groups_of(user: str) -> list[str]:
    """The groups that a user of this name is in, as far as the name says."""
    parts = user.split(":")
    everyone = "system:authenticated"
    if parts[:2] != ["system", "serviceaccount"]:
        return [everyone]
    return ["system:serviceaccounts", f"system:serviceaccounts:{parts[2]}", everyone]


def _missing(answers: Mapping[Right, bool], needed: Iterable[Right]) -> list[str]:
    return [right.word() for right in needed if not answers.get(right, False)]

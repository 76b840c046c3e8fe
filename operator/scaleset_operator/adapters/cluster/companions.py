"""Instances that keep apart from one another, and so must the places held for them. Pure.

A placeholder bears none of the set's labels, so the set's own anti-affinity does not see it: two
places could be held on one node, and only one of the instances could then come there.
"""

from collections.abc import Mapping
from typing import Any, Final

from scaleset_operator.adapters.cluster.placing import REQUIRED
from scaleset_operator.api.base import LABEL_PLACE_OF
from scaleset_operator.reconciler.budgets import selects
from scaleset_operator.reconciler.ports import Owner

Body = dict[str, Any]

_APART: Final = "podAntiAffinity"


def repelling(spec: Mapping[str, Any], owner: Owner) -> Body:
    """A placeholder's spec, kept from the set's other places where instances keep apart."""
    affinity = dict(spec.get("affinity") or {})
    apart = dict(affinity.get(_APART) or {})
    terms = list(apart.get(REQUIRED) or ())
    places = {"matchLabels": {LABEL_PLACE_OF: owner.key.name}}
    ours = [
        {"topologyKey": term["topologyKey"], "labelSelector": places}
        for term in terms
        if _means_ours(term, owner)
    ]
    if not ours:
        return dict(spec)
    return {**spec, "affinity": {**affinity, _APART: {**apart, REQUIRED: [*terms, *ours]}}}


def _means_ours(term: Mapping[str, Any], owner: Owner) -> bool:
    """Whether a term of the set's own template is about its instances."""
    named = term.get("namespaces") or ()
    if owner.key.namespace not in (named or (owner.key.namespace,)):
        return False
    labels = (owner.template.get("metadata") or {}).get("labels") or {}
    return selects(term.get("labelSelector"), {**labels, **owner.match_labels})

"""The OutboundRules as last heard, and what each selects.

Fed by the watch and by our own status writes. Must not know how ports are given out.
"""

from collections.abc import Iterator

from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.core.selection import age_of, concerns
from scaleset_operator.reconciler.versions import ByKey, Unreadable


class Rules(ByKey[OutboundRule]):
    """The rules, by key.

    Attributes:
        heard: whether everything there is was heard of; before that no port is given out, for an
            older rule or a set that holds some may not be known yet.
    """

    def __init__(self, unreadable: Unreadable, *, heard: bool = True) -> None:
        super().__init__(OutboundRule, unreadable)
        self.heard = heard

    def selecting(self, scale_set: ScaleSet) -> Iterator[OutboundRule]:
        """The rules that select a set, the oldest first: that one has it."""
        found = (rule for rule in self.all() if concerns(rule, scale_set))
        return iter(sorted(found, key=age_of))

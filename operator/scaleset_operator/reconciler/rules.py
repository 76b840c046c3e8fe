"""The OutboundRules as last heard, and what each selects.

Fed by the watch and by our own status writes. Must not know how ports are given out.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from scaleset_operator.api.outboundrule import OutboundRule, OutboundRuleStatus
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.core.selection import age_of, concerns
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.versions import in_words, is_newer, key_of, number_of, version_of


class Rules:
    """The rules, by key.

    Attributes:
        heard: whether everything there is was heard of; before that no port is given out, for an
            older rule or a set that holds some may not be known yet.
        unreadable: what is wrong with each that cannot be read.
    """

    def __init__(self, *, heard: bool = True) -> None:
        self._rules: dict[Key, OutboundRule] = {}
        self.unreadable: dict[Key, str] = {}
        self.heard = heard

    def put(self, body: Mapping[str, Any]) -> Key:
        """Take in a rule as the API server sent it, unless a newer one is known."""
        key = key_of(body)
        known = self._rules.get(key)
        if known is not None and not is_newer(body, known):
            return key
        try:
            self._rules[key] = OutboundRule.model_validate(body)
        except ValidationError as problem:
            self.unreadable[key] = in_words(problem)
            self._rules.pop(key, None)
            return key
        self.unreadable.pop(key, None)
        return key

    def put_status(self, key: Key, status: OutboundRuleStatus, resource_version: str) -> None:
        """Take in what we have just written ourselves, unless a newer one was heard meanwhile."""
        known = self._rules.get(key)
        if known is not None and number_of(resource_version) >= version_of(known):
            meta = known.metadata.model_copy(update={"resource_version": resource_version})
            self._rules[key] = known.model_copy(update={"status": status, "metadata": meta})

    def drop(self, key: Key) -> None:
        """The rule is gone."""
        self._rules.pop(key, None)
        self.unreadable.pop(key, None)

    def get(self, key: Key) -> OutboundRule | None:
        """The rule of this name, if there is one that can be read; from any thread."""
        return self._rules.get(key)

    def keys(self) -> tuple[Key, ...]:
        """All rules that can be read; from any thread."""
        return tuple(self._rules)

    def all(self) -> tuple[OutboundRule, ...]:
        """The rules themselves."""
        return tuple(self._rules.values())

    def selecting(self, scale_set: ScaleSet) -> Iterator[OutboundRule]:
        """The rules that select a set, the oldest first: that one has it."""
        found = (rule for rule in self._rules.values() if concerns(rule, scale_set))
        return iter(sorted(found, key=age_of))

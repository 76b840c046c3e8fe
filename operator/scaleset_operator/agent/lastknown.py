"""What the agent last knew of rules and pods, on the node's disk.

So an agent that starts while the API server is away goes on with what it had. What was kept before
the machine started anew is void: addresses belong to other pods by then. Must not know what follows
from it.
"""

import json
import logging
from collections.abc import Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, NamedTuple

from scaleset_operator.agent import pauses, wholefile
from scaleset_operator.agent.members import Member
from scaleset_operator.api.outboundrule import OutboundRule

FILE: Final = "last-known.json"
_log = logging.getLogger(__name__)


class Known(NamedTuple):
    """Rules and the node's pods."""

    members: tuple[Member, ...] = ()
    rules: tuple[OutboundRule, ...] = ()


class LastKnown:
    """One file in the agent's folder on the node."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / FILE
        self._kept: Known | None = None

    def keep(self, known: Known) -> None:
        """Writes it where it changed; a disk that is full costs only this."""
        if known == self._kept:
            return
        body = {
            "boot": pauses.boot(),
            "members": [_written(member) for member in known.members],
            "rules": [rule.model_dump(mode="json", by_alias=True) for rule in known.rules],
        }
        try:
            wholefile.replace(self._file, body)
        except OSError as error:
            _log.warning("What is known cannot be kept for a restart: %s", error)
        else:
            self._kept = known

    def forget(self) -> None:
        """Takes the file away."""
        self._file.unlink(missing_ok=True)

    def read(self) -> Known | None:
        """What was kept since the machine started; None where there is none that can be used."""
        try:
            body = json.loads(self._file.read_text(encoding="utf-8"))
            if body["boot"] != pauses.boot():
                return None
            members = tuple(map(_read, body["members"]))
            return Known(members, tuple(map(OutboundRule.model_validate, body["rules"])))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("%s cannot be used: %s", self._file, error)
            return None


def _written(member: Member) -> dict[str, Any]:
    """But for the pause that is asked for: only what is heard now begins one or ends it."""
    return {
        "namespace": member.namespace,
        "name": member.name,
        "uid": member.uid,
        "address": None if member.address is None else str(member.address),
        "instance": member.instance,
        "leaving": member.leaving,
        "created": member.created,
    }


def _read(body: Mapping[str, Any]) -> Member:
    address = body["address"]
    return Member(**{**body, "address": None if address is None else IPv4Address(address)})

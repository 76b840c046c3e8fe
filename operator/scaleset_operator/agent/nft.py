"""Running nft: one transaction in, what our table holds out.

Must not know what the table is for, or when it is to change.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scaleset_operator.agent import nftread
from scaleset_operator.agent.nftframe import FAMILY, SETS, TABLE
from scaleset_operator.agent.nftrules import Standing

TIMEOUT_S: Final = 30.0
READ: Final = tuple(name for name in SETS if name != "taken")
"""The sets whose elements are read; `taken` has one for each live flow."""


class NftError(RuntimeError):
    """nft is not there, took too long, or refused; the message holds what it said."""


class Nft:
    """Runs nft.

    Args:
        prefix: what stands before `nft`, as `("ip", "netns", "exec", "NAME")`.
        timeout: seconds that one run may take.
    """

    def __init__(self, prefix: Sequence[str] = (), timeout: float = TIMEOUT_S) -> None:
        self._prefix = tuple(prefix)
        self._timeout = timeout

    def carry_out(self, commands: str) -> None:
        """Carries out the commands, all or none.

        Raises:
            NftError: none was carried out, or nobody knows.
        """
        if commands:
            self._run("-f", "-", sent=commands)

    def standing(self) -> Standing:
        """What our table holds.

        Raises:
            NftError: it could not be read.
        """
        ours = {"family": FAMILY, "name": TABLE}
        tables = [thing["table"] for thing in self._listed("tables", FAMILY) if "table" in thing]
        if not any(ours.items() <= table.items() for table in tables):
            return Standing()
        frame = self._listed("table", FAMILY, TABLE, terse=True)
        there = {thing[kind]["name"] for thing in frame for kind in ("set", "map") if kind in thing}
        return nftread.standing(
            frame, {name: self._elements(name) if name in there else [] for name in READ}
        )

    def counters(self, name: str) -> dict[Any, int]:
        """Packets by instance, of one set of ours.

        Raises:
            NftError: it could not be read.
        """
        return nftread.counters(self._elements(name))

    def _elements(self, name: str) -> list[Mapping[str, Any]]:
        return self._listed(SETS[name], FAMILY, TABLE, name)

    def _listed(self, *what: str, terse: bool = False) -> list[Mapping[str, Any]]:
        said = self._run("-j", *(("-t",) if terse else ()), "list", *what)
        try:
            things: list[Mapping[str, Any]] = json.loads(said)["nftables"]
        except (ValueError, KeyError, TypeError) as error:
            message = f"nft list {' '.join(what)} printed what is no listing: {said[:200]!r}"
            raise NftError(message) from error
        return things

    def _run(self, *arguments: str, sent: str = "") -> str:
        argv = (*self._prefix, "nft", *arguments)
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, and arguments of our own
                argv,
                input=sent,
                capture_output=True,
                text=True,
                timeout=self._timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            message = f"{' '.join(argv)}: {error}"
            raise NftError(message) from error
        if done.returncode:
            message = f"{' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()[:500]}"
            raise NftError(message)
        return done.stdout

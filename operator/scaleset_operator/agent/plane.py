"""The outbound data plane of a node: make it so, see how it is used, take it away again.

What is there is read anew each time, so an agent that starts again goes on where it stands, and no
flow notices. Must not know the cluster, or how ports were given out.
"""

from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address

from scaleset_operator.agent.conntrack import Conntrack
from scaleset_operator.agent.ctmessages import Flow
from scaleset_operator.agent.desired import Block, Desired, fault
from scaleset_operator.agent.nft import Nft
from scaleset_operator.agent.nftrules import Claim, cleared, losses, removal, transaction
from scaleset_operator.agent.usage import Usage, usage


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What a change came to.

    Attributes:
        refused: why nothing was changed; None where it was carried out.
        changed: whether a rule or an element changed.
        ended: flows that were ended, for their ports were reclaimed.
    """

    refused: str | None = None
    changed: bool = False
    ended: int = 0


class Plane:
    """The data plane of one network namespace; one caller at a time."""

    def __init__(self, nft: Nft, conntrack: Conntrack) -> None:
        self._nft = nft
        self._conntrack = conntrack

    def apply(self, desired: Desired) -> Applied:
        """Makes it so, in one transaction, then ends the flows on reclaimed ports (S-07).

        A flow on a port that stays, and one whose instance gains ports, notices nothing.

        Raises:
            NftError: the rules stand as they were.
            ConntrackError: not all flows were ended; the next call goes on with it.
        """
        refused = fault(desired)
        if refused is not None:
            return Applied(refused=refused)
        standing = self._nft.standing()
        ended = self._see_to(standing.reclaimed)
        commands = transaction(desired, standing)
        self._nft.carry_out(commands)
        ended += self._see_to(losses(desired, standing))
        if not standing.intact:
            ended += self._end_strays(desired)
        return Applied(changed=bool(commands), ended=ended)

    def observe(self, desired: Desired) -> dict[str, Usage]:
        """How much each instance uses; nothing where no rules stand.

        Raises:
            NftError: the counters could not be read.
            ConntrackError: the flows could not be read.
        """
        standing = self._nft.standing()
        return usage(desired, self._flows_of(desired), standing.drops, standing.denials)

    def stands(self) -> bool:
        """Whether there is anything of ours.

        Raises:
            NftError: it could not be read.
        """
        return self._nft.standing().exists

    def remove(self) -> bool:
        """Takes everything of ours away; says whether there was anything.

        Raises:
            NftError: it may still stand.
        """
        if not self._nft.standing().exists:
            return False
        self._nft.carry_out(removal())
        return True

    def _see_to(self, claims: Collection[Claim]) -> int:
        """Ends the flows on reclaimed ports, and forgets that they were to be ended."""
        if not claims:
            return 0
        lost: dict[IPv4Address, list[Block]] = {}
        for address, block in claims:
            lost.setdefault(address, []).append(block)
        fronts = {block.frontend for _, block in claims}
        doomed = [
            flow
            for flow in self._flows(fronts)
            if any(_is_on(flow, block) for block in lost.get(flow.source, ()))
        ]
        ended = self._conntrack.end(doomed)
        self._nft.carry_out(cleared(claims))
        return ended

    def _end_strays(self, desired: Desired) -> int:
        """Ends what our own left on ports not theirs, where nobody knows what they had before."""
        outlets = desired.translated()
        strays = [
            flow
            for flow in self._flows_of(desired)
            if flow.source in outlets
            and (block := outlets[flow.source].block) is not None
            and not _is_on(flow, block)
        ]
        return self._conntrack.end(strays)

    def _flows_of(self, desired: Desired) -> list[Flow]:
        return self._flows(
            {outlet.block.frontend for outlet in desired.translated().values() if outlet.block}
        )

    def _flows(self, frontends: Collection[IPv4Address]) -> list[Flow]:
        return [flow for front in sorted(frontends) for flow in self._conntrack.flows(front)]


def _is_on(flow: Flow, block: Block) -> bool:
    return flow.outer == block.frontend and flow.outer_port in block

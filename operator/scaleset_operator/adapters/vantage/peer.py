"""The leader's side, the port `Vantage`: asks another replica about the pods that are silent here.

Asks once a second while there are any, and now and then otherwise, to know that there is one to
ask. Nothing waits for it: what has not come, or is of another pod or other rules, is no vote.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Final, Protocol

import aiohttp

from scaleset_operator.adapters.vantage.exchange import (
    LARGEST_ANSWER,
    MOST_ASKED,
    Asked,
    Secret,
    question,
    read_answer,
)

PATH: Final = "/vantage"
EVERY_S: Final = 1.0
HELLO_EVERY_S: Final = 5.0
WITHIN_S: Final = 2.0
FORGOTTEN_S: Final = 15.0
"""A pod that no turn has asked about for so long is not silent any more."""
DEAF_S: Final = 10.0
"""A replica that has not answered for so long leaves its place to the next."""
_NS: Final = 1_000_000_000
_OK: Final = 200
_IPV6: Final = 6
_log = logging.getLogger(__name__)

Post = Callable[[str, bytes], Awaitable[bytes]]
"""Sends a body to a URL and gives that of the answer; raises whatever went wrong."""


class Calendar(Protocol):
    """Our clock."""

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds."""
        ...

    def at(self, boottime_ns: int) -> datetime:
        """The time of the loop's clock at that moment."""
        ...


async def post(url: str, body: bytes) -> bytes:
    """Over HTTP, to that very address: no proxy, no redirect, and no answer without a length."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, allow_redirects=False) as response,
    ):
        length = response.content_length
        if response.status != _OK or length is None or length > LARGEST_ANSWER:
            message = f"status {response.status}, {length} bytes"
            raise ValueError(message)
        return await response.read()


class PeerVantage:
    """Votes of one other replica."""

    def __init__(
        self,
        secret: Secret,
        calendar: Calendar,
        asked_as: Callable[[str], Asked | None],
        address: Callable[[], str],
        send: Post = post,
    ) -> None:
        """Prepares it.

        Args:
            secret: shared with the other replica.
            calendar: our clock.
            asked_as: how a pod is watched here; None where it is not.
            address: of the other replica, `ip:port`; empty for none.
            send: sends a question.
        """
        self._secret = secret
        self._calendar = calendar
        self._asked_as = asked_as
        self._address = address
        self._send = send
        self._wanted: dict[str, int] = {}
        self._sent: dict[str, int] = {}
        self._heard: dict[str, tuple[Asked, int]] = {}
        self._peer = ""
        self._answers = False
        self._answered = 0
        self._tried = 0
        self._told = ""

    def votes(self, pod_uid: str) -> datetime | None:
        """See the port. By being asked it learns whom to ask about."""
        asked = self._asked_as(pod_uid)
        if asked is None:
            return None
        self._wanted[pod_uid] = self._calendar.boottime_ns()
        known = self._heard.get(pod_uid)
        return self._calendar.at(known[1]) if known is not None and known[0] == asked else None

    def answers(self) -> bool:
        """Whether there is another replica, and it answered when it was last asked."""
        return self._answers

    def deaf(self) -> str:
        """The address that has not answered for too long; empty where there is none."""
        silent = self._calendar.boottime_ns() - self._answered
        return self._peer if not self._answers and silent >= DEAF_S * _NS else ""

    async def run(self) -> None:
        """Ask, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.ask()

    async def ask(self) -> None:
        """Put one question, if there is anything to ask and anybody to be asked."""
        now = self._calendar.boottime_ns()
        address, secret = self._address(), self._secret.value()
        if address != self._peer or secret is None:
            self._peer, self._answers, self._answered, self._tried = address, False, now, 0
        asked = self._chosen(now)
        idle = not asked and self._tried and now - self._tried < HELLO_EVERY_S * _NS
        if not address or secret is None or idle:
            return
        self._tried = now
        heard = await self._exchange(secret, asked)
        if heard is None:
            self._answers = False
            return
        if not self._answers:
            _log.info("the replica at %s is asked about what is silent here", address)
        self._answers, self._answered = True, now
        for one in asked:
            age = heard.get(one.pod_uid)
            if age is not None:
                # As of when it was asked: a vote is never newer than what it tells of.
                self._heard[one.pod_uid] = (one, now - round(age * _NS))

    async def _exchange(self, secret: bytes, asked: list[Asked]) -> Mapping[str, float] | None:
        """What was heard; None, told once, where no good answer comes in time."""
        nonce = secrets.token_hex(16)
        problem = "its answer does not bear our seal"
        heard = None
        try:
            async with asyncio.timeout(WITHIN_S):
                body = await self._send(_url(self._peer), question(secret, nonce, asked))
            heard = read_answer(secret, nonce, body)
        except Exception as fault:  # noqa: BLE001 - whatever it is: no votes, and no more than that
            problem = repr(fault)
        words = "" if heard is not None else f"{self._peer} gives no votes: {problem}"
        if words and words != self._told:
            _log.warning("the replica at %s", words)
        self._told = words
        return heard

    def _chosen(self, now: int) -> list[Asked]:
        """Those that turns have lately asked about; of too many, those that waited longest."""
        wanted = {u: at for u, at in self._wanted.items() if now - at < FORGOTTEN_S * _NS}
        self._wanted = wanted
        self._heard = {uid: vote for uid, vote in self._heard.items() if uid in wanted}
        self._sent = {uid: at for uid, at in self._sent.items() if uid in wanted}
        uids = sorted(wanted, key=lambda uid: self._sent.get(uid, 0))[:MOST_ASKED]
        self._sent |= dict.fromkeys(uids, now)
        return [asked for asked in map(self._asked_as, uids) if asked is not None]


def _url(address: str) -> str:
    """Of an address as a replica writes it into the Lease: a literal, never a name."""
    ip, _, port = address.rpartition(":")
    literal = ip_address(ip.removeprefix("[").removesuffix("]"))
    host = f"[{literal}]" if literal.version == _IPV6 else str(literal)
    return f"http://{host}:{int(port)}{PATH}"

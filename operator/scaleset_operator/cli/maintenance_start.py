"""`maintenance start`: instances are asked for one after the other, with time between them.

Looked at anew before each, so that what has changed meanwhile is told and stops the rest.
Must not know: what the operator makes of a request.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from scaleset_operator.cli import included as looked_at
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.acting import Act, Agree, Done, carry_out
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.carrying import consent
from scaleset_operator.cli.failures import Exit, Failure
from scaleset_operator.cli.included import Included
from scaleset_operator.cli.instance_wishes import require_live
from scaleset_operator.cli.kinds import PODS
from scaleset_operator.cli.maintenance_following import Followed, follow
from scaleset_operator.cli.maintenance_wishes import Chosen, Wanted, ask, choose, question
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.printing import span, when


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast, and whether it is followed.

    Attributes:
        spacing: from one instance to the next.
        wait: whether the result of each is waited for.
    """

    spacing: timedelta = timedelta(0)
    wait: bool = False


async def start(call: Call, access: Access, wanted: Wanted, pace: Pace, *, yes: bool) -> int:
    """Ask for the maintenance of the instances that are wanted; gives the exit code."""
    starting = _Starting(call, access, wanted.scale_set, consent(given=yes))
    found = await starting.look()
    chosen = choose(found, wanted, call.entrance.now())
    starting.agree_to(question(found, chosen.names))
    try:
        await starting.ask_each(found, chosen, pace.spacing)
    finally:
        starting.tell_rest(chosen.names)
    followed: Sequence[Followed] = ()
    if pace.wait:
        followed = await follow(call, starting.look, chosen)
    if call.wants_data:
        ended = {one.name: one.data() for one in followed}
        rows = [done.data() | {"operation": ended.get(done.name)} for done in starting.done]
        call.print_data({"window": chosen.window, "items": rows})
    return Exit.FINE if all(one.is_completed for one in followed) else Exit.ERROR


class _Starting:
    """Asks for instances, and remembers which were asked for."""

    def __init__(self, call: Call, access: Access, scale_set: str, agree: Agree) -> None:
        self._call, self._access, self._agree = call, access, agree
        self._where = call.namespace(access)
        self._scale_set = scale_set
        self._agreed = False
        self.done: list[Done] = []

    async def look(self) -> Included:
        """The set as it is now."""
        return await looked_at.read(self._access, self._where, self._scale_set)

    def agree_to(self, asked: str) -> None:
        """Have a question answered; one yes holds for all of this command."""
        if asked and not self._agreed:
            self._agree(asked)
            self._agreed = True

    async def ask_each(self, found: Included, chosen: Chosen, spacing: timedelta) -> None:
        """Ask for one after the other."""
        for place, name in enumerate(chosen.names):
            if place and spacing:
                await self._pause(name, spacing)
                found = await self.look()
                self.agree_to(question(found, chosen.names[place:]))
            done = await self._ask(found, name, chosen.window)
            self.done.append(done)
            if not self._call.wants_data:
                self._say(done.line())

    async def _pause(self, name: str, spacing: timedelta) -> None:
        now = self._call.entrance.now()
        if not self._call.wants_data:
            self._say(f"pod/{name} follows {when(now + spacing, now)}")
        await self._call.entrance.sleep(spacing.total_seconds())

    async def _ask(self, found: Included, name: str, window: str) -> Done:
        act = ask(found, name, window, self._call.entrance.now())
        if not act.patch:
            return Done(noun="pod", namespace=self._where, name=name, act=act, changed=False)

        def decide(pod: Json) -> Act:
            require_live(pod)
            return ask(found.seen(pod), name, window, self._call.entrance.now())

        return await carry_out(self._access, PODS, (self._where, name), decide, self._agree)

    def tell_rest(self, names: Sequence[str]) -> None:
        """Say what was and what was not asked for, where that is not all."""
        done = [each.name for each in self.done]
        rest = [name for name in names if name not in done]
        if rest:
            asked = ", ".join(done) or "none"
            sys.stderr.write(f"asked for: {asked}; not asked for: {', '.join(rest)}\n")

    def _say(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def pace_of(spacing: timedelta | None, *, wait: bool, count: int | None) -> Pace:
    """The pace that the options mean.

    Args:
        spacing: None where none was given.
        wait: whether --wait was given.
        count: of the instances that were named; None where an update domain is meant.

    Raises:
        Failure: the options do not go together.
    """
    if spacing and count == 1:
        line = f"--spacing {span(spacing)} is the time between two instances: name several"
        raise Failure(line)
    return Pace(spacing=spacing or timedelta(0), wait=wait)

"""How a wish is carried out on one object: read, decide, patch on what was read, or read again.

A patch names the fields it means and the version it was decided on, so nothing that others write is
lost. Must not know: any one wish. The wishes are pure functions from an object to an `Act`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from scaleset_operator.cli.access import Access
from scaleset_operator.cli.failures import Failure, Overtaken
from scaleset_operator.cli.kinds import Kind
from scaleset_operator.cli.ports import Json

TRIES: Final = 5
"""Reads before giving up on an object that others write all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What a wish comes to on an object as it is now.

    Attributes:
        what: what is spoken of, such as "repairs".
        was: its state in words.
        now: its state once the patch is in; the same as `was` where there is none.
        patch: the fields that change, as a merge patch; empty where nothing is to be done.
        operations: a JSON patch instead, where a merge could not take fields away.
        question: what must be agreed to first; empty where nothing must.
        hint: what to know besides.
    """

    what: str
    was: str
    now: str
    patch: Mapping[str, Any] = field(default_factory=dict)
    operations: Sequence[Mapping[str, Any]] = ()
    question: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An act that was carried out, or had been before.

    Attributes:
        noun: what kind of object, as kubectl writes it: scaleset, pod.
    """

    noun: str
    namespace: str
    name: str
    act: Act
    changed: bool

    def line(self) -> str:
        """What was and what is, on one line."""
        act = self.act
        state = f"was {act.was}, is {act.now}" if self.changed else f"is {act.now}, unchanged"
        hint = f"; {act.hint}" if act.hint else ""
        line = f"{self.noun}/{self.name} {act.what}: {state}{hint}"
        # What others wrote into an annotation must not drive the terminal.
        return "".join(sign if sign.isprintable() else "?" for sign in " ".join(line.split()))

    def data(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "kind": self.noun,
            "namespace": self.namespace,
            "name": self.name,
            "what": self.act.what,
            "was": self.act.was,
            "is": self.act.now,
            "changed": self.changed,
            "hint": self.act.hint,
        }


Decide = Callable[[Json], Act]
"""From an object as the API server holds it to the act; raises Failure for what makes no sense."""

Agree = Callable[[str], None]
"""Given a question; raises Failure unless the answer is yes."""


async def carry_out(
    access: Access, kind: Kind, where: tuple[str, str], decide: Decide, agree: Agree
) -> Done:
    """Decide on an object as it is, and patch it unless it changed since; then decide anew.

    Args:
        access: the cluster.
        kind: of the object.
        where: its namespace and name.
        decide: the wish.
        agree: asked before anything is sent that has a question; each question once.

    Raises:
        Failure: the wish makes no sense for this object, or the API server refuses it.
    """
    namespace, name = where
    agreed = ""
    for _ in range(TRIES):
        found = await access.get(kind, namespace, name)
        act = decide(found)
        done = Done(noun=kind.word.lower(), namespace=namespace, name=name, act=act, changed=False)
        if not act.patch and not act.operations:
            return done
        if act.question and act.question != agreed:
            agree(act.question)
            agreed = act.question
        try:
            await _send(access, kind, where, act, found["metadata"])
        except Overtaken:
            continue
        return Done(noun=done.noun, namespace=namespace, name=name, act=act, changed=True)
    line = f"{kind.word} {name} is written by others all the time: tried {TRIES} times"
    raise Failure(line)


async def _send(
    access: Access, kind: Kind, where: tuple[str, str], act: Act, read: Mapping[str, Any]
) -> None:
    version = str(read["resourceVersion"])
    if act.operations:
        # Written rather than tested: a version that is not the present one is then a conflict.
        fence = {"op": "replace", "path": "/metadata/resourceVersion", "value": version}
        await access.edit(kind, where, [fence, *act.operations])
        return
    metadata = {**act.patch.get("metadata", {}), "uid": read["uid"], "resourceVersion": version}
    await access.merge(kind, *where, {**act.patch, "metadata": metadata})

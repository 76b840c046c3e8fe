"""ControllerRevisions of a fake API server, and the port `Revisions` over them.

Names are unique in a namespace, a number may be written anew, the data never. It must not know
which revisions are worth keeping.
"""

import copy
from collections.abc import Iterable
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from scaleset_operator.core.revisions import Revision
from scaleset_operator.reconciler.ports import Key, Owner
from scaleset_operator.rehearsal.errors import CONFLICT, EXISTS, NOT_FOUND, ServerError
from scaleset_operator.rehearsal.requests import Request, Verb
from scaleset_operator.rehearsal.wire import Wire


class Kept(NamedTuple):
    """One object: its revision, whose it is, and the template."""

    revision: Revision
    owner_uid: str
    data: dict[str, Any]


class RevisionBook:
    """What one server holds: (namespace, name) -> object."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Kept] = {}
        self.uids = count(1)

    def keep(self, key: Key, owner_uid: str, revisions: Iterable[Revision]) -> None:
        """Exactly these of one set, as somebody else wrote them."""
        for name in [name for name, one in self.kept.items() if one.owner_uid == owner_uid]:
            del self.kept[name]
        for one in revisions:
            kept = Kept(replace(one, template=None), owner_uid, dict(one.template or {}))
            self.kept[key.namespace, one.name] = kept

    def numbers(self) -> dict[str, int]:
        """Model -> number, of all sets."""
        return {one.revision.model: one.revision.number for one in self.kept.values()}


class FakeRevisions:
    """One client's port."""

    def __init__(self, book: RevisionBook, wire: Wire) -> None:
        self.book = book
        self.wire = wire

    async def list_revisions(self, owner: Owner) -> tuple[Revision, ...]:
        """See the port."""

        def send() -> tuple[Revision, ...]:
            return tuple(
                replace(one.revision, template=one.data)
                for (namespace, _), one in self.book.kept.items()
                if namespace == owner.key.namespace and one.owner_uid == owner.uid
            )

        return await self.wire.call(Request(Verb.REVISIONS, owner.key.name), send)

    async def write_revision(self, owner: Owner, revision: Revision) -> Revision:
        """See the port."""
        key = (owner.key.namespace, revision.name)

        def send() -> Revision:
            there = self.book.kept.get(key)
            if not revision.uid:
                if there is not None:
                    raise ServerError(EXISTS, f"{revision.name} already exists")
                new = replace(revision, uid=f"revision-{next(self.book.uids)}")
                self.book.kept[key] = Kept(new, owner.uid, copy.deepcopy(dict(owner.template)))
                return new
            if there is None or there.revision.uid != revision.uid:
                raise ServerError(NOT_FOUND, f"{revision.name} is not there")
            self.book.kept[key] = there._replace(revision=revision)
            return revision

        return await self.wire.call(Request(Verb.REVISION, revision.name), send)

    async def drop_revision(self, owner: Owner, revision: Revision) -> None:
        """See the port."""
        key = (owner.key.namespace, revision.name)

        def send() -> None:
            there = self.book.kept.get(key)
            if there is None:
                return
            if there.revision.uid != revision.uid:
                raise ServerError(CONFLICT, f"{revision.name} is another object now")
            del self.book.kept[key]

        await self.wire.call(Request(Verb.REVISION, revision.name), send)

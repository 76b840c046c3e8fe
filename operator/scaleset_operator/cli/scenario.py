"""A scenario as people write it: `at=5m fail=12% as=500; at=40m recover`, read clause by clause.

Events stand between semicolons or on lines of their own, clauses between blanks, and each clause is
`key=value`. Must not know: what an event does.
"""

import re
from collections.abc import Callable
from typing import Final

from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.spans import read_span
from scaleset_operator.rehearsal import events
from scaleset_operator.rehearsal.endpoints import (
    GARBAGE,
    HANG,
    NO_ROUTE,
    OK,
    REFUSED,
    Answer,
)
from scaleset_operator.rehearsal.events import Event, Happening, Whom
from scaleset_operator.rehearsal.probes import Blindness

WORDS: Final = {
    "ok": OK,
    "hang": HANG,
    "refuse": REFUSED,
    "garbage": GARBAGE,
    "no-route": NO_ROUTE,
}
LIVING: Final = "ok, a status such as 500, hang, refuse, garbage or no-route"
WHOM: Final = "12%, a number, names with commas between them, or all"
MOST_PERCENT: Final = 100
MOST_REPLICAS: Final = 10_000
HTTP_OK: Final = 200
_STATUS: Final = re.compile(r"[1-5][0-9]{2}", re.ASCII)
_WORD: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", re.ASCII)

Clauses = dict[str, str]


def read_scenario(text: str) -> tuple[Event, ...]:
    """The events of a scenario, in the order in which they are written.

    Raises:
        Failure: names the clause, its value, and what is allowed.
    """
    lines = (line.partition("#")[0] for line in text.splitlines())
    parts = (part.strip() for line in lines for part in line.split(";"))
    return tuple(_event(part) for part in parts if part)


def _event(text: str) -> Event:
    clauses: Clauses = {}
    for clause in text.split():
        key, _, value = clause.partition("=")
        if key in clauses:
            raise _wrong(text, f"{key} stands twice")
        clauses[key] = value
    if "at" not in clauses:
        raise _wrong(text, "it has no time: at=SPAN is missing")
    after = read_span(clauses.pop("at"), f"at of {text!r}")
    acts = [key for key in clauses if key in ACTS]
    unknown = [key for key in clauses if key not in ACTS and key != "as"]
    if unknown:
        raise _wrong(text, f"{unknown[0]} is not known: allowed are at, as, {', '.join(ACTS)}")
    if len(acts) != 1:
        count = "nothing happens" if not acts else f"{' and '.join(acts)} are two events"
        raise _wrong(text, f"{count}: allowed is one of {', '.join(ACTS)}")
    how = clauses.get("as")
    if how is not None and acts[0] not in ("fail", "image"):
        raise _wrong(text, f"as={how} goes with fail and image alone")
    return Event(after=after, what=ACTS[acts[0]](clauses[acts[0]], how, text), text=text)


def _wrong(text: str, why: str) -> Failure:
    return Failure(f"scenario {text!r}: {why}")


def _refused(text: str, key: str, value: str, allowed: str) -> Failure:
    return _wrong(text, f"{key} is {value!r}: allowed is {allowed}")


def _fail(value: str, how: str | None, text: str) -> Happening:
    if how == "exit":
        return events.Fail(_whom("fail", value, text), None)
    answer = _answer("as", how or "500", text, f"{LIVING}, or exit")
    if answer == OK:
        raise _refused(text, "as", how or "", "what is a failure; ok is: recover")
    return events.Fail(_whom("fail", value, text), answer)


def _born(value: str, _how: str | None, text: str) -> Happening:
    return events.Newborn(_newborn("born", value, text))


def _image(value: str, how: str | None, text: str) -> Happening:
    if not value:
        raise _refused(text, "image", value, "an image, such as web:2")
    return events.Image(value, _newborn("as", how or "ok", text))


def _newborn(key: str, value: str, text: str) -> Answer | None:
    if value == "never":
        return None
    return _answer(key, value, text, f"{LIVING}, or never, for containers that do not run")


def _answer(key: str, value: str, text: str, allowed: str) -> Answer:
    if value in WORDS:
        return WORDS[value]
    if not _STATUS.fullmatch(value):
        raise _refused(text, key, value, allowed)
    from scaleset_operator.core.observed import Outcome

    return OK if int(value) == HTTP_OK else Answer(Outcome.WRONG_STATUS, int(value))


def _whom(key: str, value: str, text: str) -> Whom:
    percent, number = value.removesuffix("%"), value
    if value in ("", "all"):
        return Whom()
    if value.endswith("%") and percent.isdecimal() and 0 < int(percent) <= MOST_PERCENT:
        return Whom(percent=int(percent))
    if number.isdecimal() and int(number) > 0:
        return Whom(count=int(number))
    names = tuple(value.split(","))
    if "%" in value or number.isdecimal() or not all(map(_WORD.fullmatch, names)):
        raise _refused(text, key, value, WHOM)
    return Whom(names=names)


def _scale(value: str, _how: str | None, text: str) -> Happening:
    if not value.isdecimal() or int(value) > MOST_REPLICAS:
        raise _refused(text, "scale", value, f"a number from 0 to {MOST_REPLICAS}")
    return events.Scale(int(value))


def _edit(value: str, _how: str | None, text: str) -> Happening:
    import yaml

    path, equals, field = value.partition("=")
    steps = tuple(path.removeprefix("spec.").split("."))
    if not equals or not all(steps):
        allowed = "FIELD=VALUE, such as automaticRepairsPolicy.gracePeriod=PT10M"
        raise _refused(text, "set", value, allowed)
    return events.Edit(steps, yaml.safe_load(field))


def _start_after(value: str, _how: str | None, text: str) -> Happening:
    return events.StartAfter(read_span(value, f"start-after of {text!r}"))


def _blind(value: str, _how: str | None, text: str) -> Happening:
    paths = {"": Blindness.PODS, "pods": Blindness.PODS, "all": Blindness.ALL}
    if value not in paths:
        allowed = "pods (the path to them is cut) or all (its own network is gone)"
        raise _refused(text, "blind", value, allowed)
    return events.Blind(paths[value])


def _prober(value: str, _how: str | None, text: str) -> Happening:
    if value not in set(events.Prober):
        raise _refused(text, "prober", value, ", ".join(events.Prober))
    return events.Prober(value)


def _node(key: str, *, lost: bool) -> Callable[[str, str | None, str], Happening]:
    def read(value: str, _how: str | None, text: str) -> Happening:
        if not value:
            raise _refused(text, key, value, "the name of a node, such as node-1")
        return events.Node(value, lost)

    return read


def _of(key: str, make: Callable[[Whom], Happening]) -> Callable[[str, str | None, str], Happening]:
    return lambda value, _how, text: make(_whom(key, value, text))


def _bare(key: str, what: Happening) -> Callable[[str, str | None, str], Happening]:
    def read(value: str, _how: str | None, text: str) -> Happening:
        if value:
            raise _refused(text, key, value, f"{key} alone")
        return what

    return read


ACTS: Final[dict[str, Callable[[str, str | None, str], Happening]]] = {
    "fail": _fail,
    "recover": _of("recover", events.Recover),
    "born": _born,
    "image": _image,
    "scale": _scale,
    "set": _edit,
    "suspend": _bare("suspend", events.Service.SUSPEND),
    "resume": _bare("resume", events.Service.RESUME),
    "blind": _blind,
    "sight": _bare("sight", events.Blind(Blindness.NONE)),
    "prober": _prober,
    "node-lost": _node("node-lost", lost=True),
    "node-back": _node("node-back", lost=False),
    "delete": _of("delete", events.Delete),
    "protect": _of("protect", lambda whom: events.Protect(whom, protected=True)),
    "unprotect": _of("unprotect", lambda whom: events.Protect(whom, protected=False)),
    "start-after": _start_after,
}
"""Clause -> what reads its value, the clause `as`, and the whole event for the error."""

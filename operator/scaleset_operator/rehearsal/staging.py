"""The events of a scenario, carried out on the cluster in memory.

Draws its lots from the rehearsal's own chance. Must not know: how a scenario is written down, or
what the operator makes of it.
"""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from scaleset_operator.api.base import LABEL_PROTECT_FROM_ACTIONS, format_time
from scaleset_operator.rehearsal.events import (
    Blind,
    Delete,
    Edit,
    Fail,
    Happening,
    Image,
    Newborn,
    NobodyMeantError,
    Node,
    Prober,
    Protect,
    Recover,
    Scale,
    Service,
    StartAfter,
    Whom,
)
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.rehearsal import Rehearsal

PERCENT: Final = 100


def carry_out(what: Happening, on: Rehearsal) -> str:
    """Carry out one event; gives what was done, in words.

    Raises:
        NobodyMeantError: it means what is not there.
    """
    match what:
        case Fail() | Recover() | Delete() | Protect():
            return _to_instances(what, on)
        case Image() | Scale() | Edit() | Service():
            return _to_set(what, on)
        case Newborn():
            on.newborn = what.answer
        case StartAfter():
            on.start_after = what.span.total_seconds()
        case Blind():
            on.prober.blind(what.blindness)
        case Prober():
            _to_prober(what, on)
        case Node():
            _to_node(what, on)
        case _:
            assert_never(what)
    return ""


def _to_instances(what: Fail | Recover | Delete | Protect, on: Rehearsal) -> str:
    meant = _meant(what.whom, on.instances(), on)
    for pod in meant:
        match what:
            case Fail(answer=None):
                on.kubelet.die(pod)
            case Fail(answer=answer):
                assert answer is not None
                on.endpoints.set_until_restart(pod.uid, answer)
            case Recover():
                on.endpoints.heal(pod.uid)
            case Delete():
                on.server.delete_pod(pod.namespace, pod.name)
            case Protect(protected=protected):
                kept = {k: v for k, v in pod.labels.items() if k != LABEL_PROTECT_FROM_ACTIONS}
                mark = {LABEL_PROTECT_FROM_ACTIONS: "true"} if protected else {}
                on.server.change_pod(pod, labels={**kept, **mark})
    return named(pod.name for pod in meant)


def _meant(whom: Whom, among: Sequence[FakePod], on: Rehearsal) -> list[FakePod]:
    """Who is meant; lots are drawn among all that live."""
    if whom.names:
        known = {pod.name: pod for pod in among}
        missing = [name for name in whom.names if name not in known]
        if missing:
            line = f"{', '.join(missing)}: no such instance then; there are {named(known)}"
            raise NobodyMeantError(line, on.clock.now())
        return [known[name] for name in whom.names]
    if whom.percent is None and whom.count is None:
        return list(among)
    desired = int(on.scale_set["spec"].get("replicas", 0))
    share = -(-desired * (whom.percent or 0) // PERCENT)
    count = share if whom.count is None else whom.count
    drawn = on.chance.sample(list(among), min(count, len(among)))
    return sorted(drawn, key=lambda pod: pod.instance_id or 0)


def named(names: Iterable[str]) -> str:
    """Names as a list for people: the first few, and how many more."""
    found = list(names)
    if len(found) <= MOST_NAMED + 1:
        return ", ".join(found)
    return f"{', '.join(found[:MOST_NAMED])} and {len(found) - MOST_NAMED} more"


MOST_NAMED: Final = 4


def _to_set(what: Image | Scale | Edit | Service, on: Rehearsal) -> str:
    spec: dict[str, Any] = copy.deepcopy(on.scale_set["spec"])
    match what:
        case Scale():
            spec["replicas"] = what.replicas
        case Edit():
            _set(spec, what.path, what.value, on)
        case Image():
            on.by_image[what.image] = what.answer
            spec["template"]["spec"]["containers"][0]["image"] = what.image
        case Service():
            policy = spec.setdefault("automaticRepairsPolicy", {})
            suspended = what is Service.SUSPEND
            policy["serviceState"] = "Suspended" if suspended else "Running"
            if not suspended:
                now = format_time(on.clock.now())
                on.server.annotate("ScaleSet", *on.key, repairs_resume_requested_at=now)
    on.server.apply("ScaleSet", *on.key, spec)
    return ""


def _set(spec: dict[str, Any], path: Sequence[str], value: Any, on: Rehearsal) -> None:
    place = spec
    for step in path[:-1]:
        place = place.setdefault(step, {})
        if not isinstance(place, dict):
            line = f"{'.'.join(path)}: {step} holds no fields"
            raise NobodyMeantError(line, on.clock.now())
    place[path[-1]] = value


def _to_prober(what: Prober, on: Rehearsal) -> None:
    match what:
        case Prober.STOP:
            on.prober.freeze()
        case Prober.START:
            on.prober.thaw()
        case Prober.RESTART:
            on.prober.restart()
        case _:
            assert_never(what)
    on.loop.wake_all()


def _to_node(what: Node, on: Rehearsal) -> None:
    names = [node.name for node in on.server.nodes()]
    if what.name not in names:
        line = f"{what.name}: no such node; there are {named(names)}"
        raise NobodyMeantError(line, on.clock.now())
    if what.lost:
        on.kubelet.lose_node(what.name)
    else:
        on.kubelet.return_node(what.name)

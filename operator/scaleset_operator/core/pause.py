"""Whether an instance may be paused in place, or kubelet would kill it meanwhile (M-03).

Must not know how an instance is paused, or its turn among the others.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.pauserequest import PauseRequest

PAUSE: Final = timedelta(seconds=30)
"""How long an in-place maintenance holds an instance, as the source has it (M-02)."""
UNREADABLE: Final = "?"
"""In place of a request's id."""
_PERIOD_S: Final = 10
_FAILURES: Final = 3
"""What the API server fills in where a probe leaves them out."""


@dataclass(frozen=True, kw_only=True)
class Watch:
    """A probe by which kubelet kills a container: of liveness, or of start until that is over.

    Attributes:
        container: whose it is.
        period: from one attempt to the next (periodSeconds).
        failures: so many in a row are the end (failureThreshold).
    """

    container: str
    period: timedelta
    failures: int


def request_on(annotations: Mapping[str, str]) -> str:
    """The id of the pause that a pod's annotations ask for; UNREADABLE where they name none."""
    asked = PauseRequest.of(annotations)
    return asked.id if isinstance(asked, PauseRequest) else UNREADABLE if asked else ""


def watches_of(spec: Mapping[str, Any]) -> tuple[Watch, ...]:
    """The probes by which kubelet kills a container that runs, those of sidecars included.

    Args:
        spec: of a pod.
    """
    sidecars = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return tuple(
        Watch(
            container=container["name"],
            period=timedelta(seconds=probe.get("periodSeconds") or _PERIOD_S),
            failures=probe.get("failureThreshold") or _FAILURES,
        )
        for container in (*(spec.get("containers") or ()), *sidecars)
        if (probe := container.get("livenessProbe"))
    )


def spared(watch: Watch) -> timedelta:
    """The longest pause that this probe surely lets pass.

    An attempt fails if any of it falls into the pause: one under way as it begins is the first. So
    the last that is needed can fail one period earlier than period times failures.
    """
    return watch.period * (watch.failures - 1)


def objection(watches: Iterable[Watch], pause: timedelta) -> str | None:
    """Why the pause is refused with RetryLater, by the least patient probe; None where it is not.

    Args:
        watches: of all containers of the instance.
        pause: for how long it would stand still.
    """
    least = min(watches, key=lambda watch: (spared(watch), watch.container), default=None)
    if least is None or pause <= spared(least):
        return None
    return (
        f"kubelet may kill container {least.container!r} during a pause of {_seconds(pause)}: its "
        f"probe fails {least.failures} times in a row within {_seconds(spared(least))}; raise "
        f"periodSeconds or failureThreshold until (failureThreshold - 1) x periodSeconds is "
        f"{_seconds(pause)} or more"
    )


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"

"""Who gets traffic: the probe of rotation where it is another, and those on their way out.

The probe of rotation decides over the gate and over nothing else: an instance that sheds load
leaves rotation and is never repaired for it (P-29). Knows nothing of repairs or of the ledger.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scalesetstatus import RotationStatus
from scaleset_operator.core.health import Bench, RotationWord, Verdict
from scaleset_operator.core.observed import Instance, Observed
from scaleset_operator.core.plan import PublishHealth


def with_rotation(
    observed: Observed, verdicts: Mapping[str, Verdict], now: datetime
) -> Mapping[str, Verdict]:
    """Let the probe of rotation say what the gate should be; health stays as it was judged.

    It is weighed as health is, by its own evidence: a timeout without success to leave, silence
    of the whole set and blindness leave the gate as it is (rule 20), and so does a fault of it.

    Args:
        observed: what was seen.
        verdicts: pod UID -> verdict by the health source.
        now: time of the decision.
    """
    probe = observed.rotation_probe
    if probe is None:
        return verdicts
    live = [i for i in observed.instances if i.live]
    apart = replace(observed, probe=probe, evidence=observed.rotation_evidence, votes={})
    bench = Bench(apart, probe, live, now)
    known: dict[tuple[int, int], Verdict] = {}
    joined: dict[str, Verdict] = {}
    judged = []  # Kept, so that no two of them have one id.
    for instance in live:
        health, said = verdicts[instance.uid], bench.verdict(instance)
        judged.append(said)
        pair = (id(health), id(said))
        if pair not in known:
            known[pair] = _join(health, said)
        joined[instance.uid] = known[pair]
    return joined


def _join(health: Verdict, said: Verdict) -> Verdict:
    moments = [at for at in (health.changes_at, said.changes_at) if at is not None]
    return replace(
        health,
        in_rotation=said.in_rotation,
        rotation=RotationWord(reason=said.reason, message=said.message, doubt=said.doubt),
        changes_at=min(moments, default=None),
    )


def departures(instances: Iterable[Instance]) -> Iterable[PublishHealth]:
    """Take out of rotation what is being deleted, whoever sent the DELETE (P-20).

    First, at once, and whatever its probe says: it may answer 200 until its stop hook has ended.
    """
    for instance in instances:
        if instance.terminating and instance.in_rotation:
            yield PublishHealth(
                name=instance.name,
                uid=instance.uid,
                health=None,
                reason=Reason.TERMINATING,
                message="it is being deleted: no new traffic",
                in_rotation=False,
            )


def tally(observed: Observed, verdicts: Mapping[str, Verdict]) -> RotationStatus | None:
    """What the probe of rotation finds, summed up; None where the health source decides."""
    if observed.rotation_probe is None:
        return None
    said = list(verdicts.values())
    kept = [v.rotation.reason for v in said if v.in_rotation is None and v.rotation is not None]
    commonest = Counter(kept).most_common(1)
    return RotationStatus(
        in_rotation=sum(v.in_rotation is True for v in said),
        out_of_rotation=sum(v.in_rotation is False for v in said),
        unknown=len(kept),
        reason=commonest[0][0] if commonest else None,
    )

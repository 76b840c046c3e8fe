"""What stands between the prober and a set that is silent as a whole: its NetworkPolicies.

Read only while a set is silent, and then at most every half minute; nothing is watched and a set
that answers costs no request. What may not be read is not known. Chooses nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.base import LABEL_NAME, LABEL_PREFIX
from scaleset_operator.core.model import container_ports
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Plan
from scaleset_operator.core.policies import Surroundings
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.outlook import Policies
from scaleset_operator.reconciler.ports import Clock
from scaleset_operator.reconciler.resources import KnownSet

PAUSE: Final = timedelta(seconds=30)


class Lookout:
    """Reads the policies for one set at a time, when a plan asks for them."""

    def __init__(self, policies: Policies, clock: Clock) -> None:
        self._policies = policies
        self._clock = clock

    async def look(self, known: KnownSet, plan: Plan, memory: Memory) -> bool:
        """Read the policies if they are asked for and it is time; whether they are others now."""
        if not plan.look_at_policies:
            memory.policies = None
            return False
        now = self._clock.now()
        if memory.policies_due is not None and now < memory.policies_due:
            return False
        memory.policies_due = now + PAUSE
        before = memory.policies
        found = await self._policies.policies(known.key.namespace)
        memory.policies = None if found is None else (found, await self._policies.place())
        return memory.policies != before


def surroundings(
    known: KnownSet, instances: Iterable[Instance], memory: Memory
) -> Surroundings | None:
    """The policies as last read, with what they are held against; None where none were read.

    What the template says is said of every instance only while all are of the latest model.
    """
    if memory.policies is None:
        return None
    policies, place = memory.policies
    spec = known.resource.spec
    alike = all(i.model == known.model for i in instances if i.live)
    template = known.template_labels if alike else {}
    foreign = {k: v for k, v in template.items() if not k.startswith(f"{LABEL_PREFIX}/")}
    return Surroundings(
        namespace=known.key.namespace,
        policies=policies,
        labels={**foreign, **spec.selector.match_labels, LABEL_NAME: known.key.name},
        named_ports=named_ports(spec.template),
        complete=alike,
        place=place,
    )


def named_ports(template: Mapping[str, Any]) -> Mapping[str, int]:
    """Name of a container port -> its number, of a pod template."""
    return {
        row["name"]: row["containerPort"] for row in container_ports(template) if row.get("name")
    }

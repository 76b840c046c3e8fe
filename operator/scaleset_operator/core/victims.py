"""Who goes first when fewer instances are wanted (protocol rule 24).

Orders those that may go; who may not, and how many go, is for others to say.
"""

from collections import Counter

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scaleset import ScaleInPolicy
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene


def first_to_go(scene: Scene, staying: list[Instance], count: int) -> list[Instance]:
    """So many of these: never-started and unhealthy ones first, then by the policy (rule 24)."""
    poor = [i for i in staying if _is_poor(scene, i)]
    poor.sort(key=lambda i: (i.started is not None, -i.instance_id))
    chosen = poor[:count]
    rest = [i for i in staying if not _is_poor(scene, i)]
    match scene.spec.scale_in_policy:
        case ScaleInPolicy.NEWEST:
            rest.sort(key=lambda i: -i.instance_id)
        case ScaleInPolicy.OLDEST:
            rest.sort(key=lambda i: i.instance_id)
        case _:
            gone = {i.uid for i in chosen}
            counted = [i for i in scene.staying if i.name not in scene.surplus]
            rest = _balanced(rest, [i for i in counted if i.uid not in gone])
    return chosen + rest[: count - len(chosen)]


def _is_poor(scene: Scene, instance: Instance) -> bool:
    verdict = scene.verdicts[instance.uid]
    return instance.started is None or (scene.has_source and verdict.health is VMHealth.UNHEALTHY)


def _balanced(rest: list[Instance], staying: list[Instance]) -> list[Instance]:
    """The newest of the fullest update domain, again and again."""
    sizes = Counter(i.update_domain for i in staying)
    by_domain: dict[int, list[Instance]] = {}
    for instance in sorted(rest, key=lambda i: i.instance_id):
        by_domain.setdefault(instance.update_domain, []).append(instance)
    order: list[Instance] = []
    while by_domain:
        fullest = max(by_domain, key=lambda d: (sizes[d], by_domain[d][-1].instance_id))
        order.append(by_domain[fullest].pop())
        sizes[fullest] -= 1
        if not by_domain[fullest]:
            del by_domain[fullest]
    return order

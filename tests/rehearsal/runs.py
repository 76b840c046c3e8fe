"""A rehearsal for the tests: a set, its probe at 5/11, and a scenario in the plugin's words."""

from datetime import timedelta
from typing import Any

from scaleset_operator.cli.scenario import read_scenario
from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from tests.simulation.world import probe_spec, set_spec
from tests.support.fake_clock import T0

KEY = Key("shop", "web")


def rehearsal(replicas: int = 10, *, seed: int = 0, **policy: Any) -> Rehearsal:
    """Before its first moment; instances start within five seconds."""
    run = Rehearsal(KEY, T0, seed=seed)
    run.start_after = 5.0
    run.server.apply("HealthProbe", KEY.namespace, "web-http", probe_spec())
    run.server.apply("ScaleSet", *KEY, set_spec(replicas, **policy))
    return run


async def rehearsed(
    scenario: str, *, minutes: float = 10, replicas: int = 10, seed: int = 0, **policy: Any
) -> Rehearsal:
    """One that has run."""
    run = rehearsal(replicas, seed=seed, **policy)
    await run.run(timedelta(minutes=minutes), read_scenario(scenario))
    return run


def acts(run: Rehearsal, *kinds: ActKind) -> list[tuple[str, str]]:
    """Whom the acts of these kinds were about, and what they were."""
    return [(act.instance, act.what) for act in run.acts if act.kind in kinds]

"""What others say is an input like any other: votes, NetworkPolicies, and who leads (X-12)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from scaleset_operator.cli.scenario import read_scenario
from scaleset_operator.core.policies import Policy
from scaleset_operator.reconciler.acts import Act, ActKind
from scaleset_operator.reconciler.ports import Cluster, Owner
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.comparison import carried_out
from scaleset_operator.rehearsal.recording import read_recording
from tests.rehearsal.recorded_runs import difference, recorded, replayed
from tests.rehearsal.runs import KEY, rehearsal
from tests.support.fake_policies import FakePolicies
from tests.support.fake_vantage import FakeVantage

DENY: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}


def without(lines: list[str], *kinds: str) -> list[str]:
    """The recording as it would be if these inputs had not been written."""
    return [line for line in lines if json.loads(line)["is"] not in kinds]


def told(acts: list[Act]) -> list[tuple[str, ...]]:
    """What was done, with the reasons that were given."""
    return [(act.kind, act.instance, act.what, act.reason) for act in carried_out(acts)]


async def voted() -> list[str]:
    """A prober that sees nothing from the second minute on, another does until the sixth."""
    run = rehearsal(6)
    vantage = FakeVantage(run.clock, run.endpoints)
    run.loop.reconciler.vantage = vantage
    lines = recorded(run)

    def shut() -> None:
        vantage.sees = False

    run.clock.after(timedelta(minutes=6), shut)
    await run.run(timedelta(minutes=10), read_scenario("at=2m blind"))
    return lines


async def test_votes_that_keep_a_set_from_doubt_keep_it_from_doubt_again() -> None:
    """X-12, rule 15: while the other prober hears them there is no doubt, afterwards there is."""
    lines = await voted()
    recording = read_recording(lines)
    doubts = [act for act in recording.acts if act.kind is ActKind.DOUBT]
    assert doubts
    assert doubts[0].at > recording.begin + timedelta(minutes=6)
    assert await difference(lines) is None


async def test_without_the_votes_a_replay_would_doubt_earlier() -> None:
    """X-12: they are what kept it from doubt."""
    replay = await replayed(without(await voted(), "vote"))
    doubts = [act for act in replay.acts if act.kind is ActKind.DOUBT]
    assert doubts[0].at < replay.clock.now() - timedelta(minutes=5)
    assert replay.difference() is not None


class SlowPolicies(FakePolicies):
    """Ones whose reading takes a while, as on an API server: the turn that asked is older then."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """See the port."""
        self._clock.advance(0.01)
        return await super().policies(namespace)


async def shut_out() -> list[str]:
    """A prober that is shut out, by a policy that goes again."""
    run = rehearsal(6)
    policies = SlowPolicies(run.clock)
    run.loop.reconciler.policies = policies
    lines = recorded(run)
    policies.put(KEY.namespace, "deny-all", DENY)
    run.clock.after(timedelta(minutes=5), lambda: policies.put(KEY.namespace, "deny-all", None))
    await run.run(timedelta(minutes=8), read_scenario("at=2m blind"))
    return lines


async def test_a_network_policy_is_blamed_again_in_the_same_acts() -> None:
    """X-12, S-31."""
    lines = await shut_out()
    recording = read_recording(lines)
    said = told(list(recording.acts))
    assert [who for _, who, _, reason in said if reason == "ProbeBlocked"]
    replay = await replayed(lines)
    assert replay.difference() is None
    assert told(replay.acts) == said


async def test_without_the_policies_a_replay_would_blame_none() -> None:
    """X-12: a reason that is another is a difference."""
    found = await difference(without(await shut_out(), "policies"))
    assert found is not None
    assert found.recorded is not None
    assert found.recorded.reason == "ProbeBlocked"


class Successor:
    """The port `Leadership` of a replica that stands by at first."""

    leading = False

    def leads(self) -> bool:
        """See the port."""
        return self.leading


async def test_a_replica_that_stood_by_at_first_does_nothing_until_then_again() -> None:
    """X-12: a standby's turns are taken, and nothing is done in them."""
    run = rehearsal(6)
    leadership = run.loop.reconciler.leadership = Successor()
    lines = recorded(run)

    def take_over() -> None:
        leadership.leading = True
        run.loop.wake_all()

    run.clock.after(timedelta(minutes=1), take_over)
    await run.run(timedelta(minutes=4), read_scenario("at=2m fail=1"))
    recording = read_recording(lines)
    assert min(act.at for act in recording.acts) >= recording.begin + timedelta(minutes=1)
    replay = await replayed(lines)
    assert replay.difference() is None
    assert min(act.at for act in replay.acts) >= recording.begin + timedelta(minutes=1)
    early = await replayed(without(lines, "leads"))
    assert min(act.at for act in early.acts) < recording.begin + timedelta(minutes=1)


class SlowRecords:
    """The port `Cluster` over another one, whose status writes take two seconds."""

    def __init__(self, cluster: Cluster, clock: VirtualClock) -> None:
        self._cluster = cluster
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        """Everything else is as there."""
        return getattr(self._cluster, name)

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """See the port."""
        version = await self._cluster.record_status(owner, status)
        self._clock.advance(2.0)
        return version


async def test_what_changed_while_a_turn_wrote_is_seen_in_its_middle_again() -> None:
    """X-12: a pod that ended meanwhile is not written to; a replay looks again as late."""
    run = rehearsal(6)
    loop = run.loop.reconciler
    loop.cluster = SlowRecords(loop.cluster, run.clock)
    lines = recorded(run)
    await run.run(timedelta(minutes=4), read_scenario("at=1m delete=web-3,web-4; at=2m scale=8"))
    assert await difference(lines) is None
    assert await difference(without(lines, "look")) is not None

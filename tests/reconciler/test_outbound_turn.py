"""The turn of an OutboundRule: from pods and reports to its status, and from that to the set's."""

from collections.abc import Mapping
from typing import Any, Final, Self

from scaleset_operator.api.agentreport import Hottest
from scaleset_operator.api.outboundrule import OutboundRule
from scaleset_operator.core.outbound import Heard
from scaleset_operator.reconciler.outbound_turn import OutboundReporter
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.requests import Verb
from tests.core._outbound import ADDRESS, heard
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE
from tests.support.fake_leadership import FakeLeadership

RULE: Final = Key(NAMESPACE, "web-out")
HOT: Final = Hottest(address="203.0.113.5", port=443, protocol="tcp")
SPEC: Final = {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": [ADDRESS]}


class Reports:
    """What agents are made to say."""

    def __init__(self) -> None:
        self.by_node: dict[str, Heard] = {}

    def heard(self) -> Mapping[str, Heard]:
        """See the port."""
        return self.by_node


class Rules:
    """A reporter beside a set of running instances."""

    def __init__(self, replicas: int = 3, leadership: FakeLeadership | None = None) -> None:
        self.stage = Stage(replicas)
        self.resources = self.stage.operator.resources
        self.agents = Reports()
        self.reporter = OutboundReporter(
            self.resources, self.stage.cluster, self.stage.clock, leadership, self.agents
        )
        stored = self.stage.server.resource("ScaleSet", *KEY)
        stored["metadata"]["labels"] = {"tier": "web"}
        self.stage.server.restore("ScaleSet", stored)
        self.stage.server.apply("OutboundRule", *RULE, SPEC)

    async def running(self) -> Self:
        await self.stage.turn()
        await self.stage.run(2)
        return self

    async def turn(self, key: Key = RULE) -> float | None:
        """One turn, with all news heard; returns in how many seconds to look again."""
        self.stage.operator.hear()
        for body in self.stage.cluster.view.rules().values():
            self.resources.rules.put(body)
        due = await self.reporter.turn(key)
        return None if due is None else (due - self.stage.clock.now()).total_seconds()

    def rule(self, key: Key = RULE) -> OutboundRule:
        return OutboundRule.model_validate(self.stage.server.resource("OutboundRule", *key))

    def status(self, key: Key = RULE) -> dict[str, Any]:
        found: dict[str, Any] = self.stage.server.resource("OutboundRule", *key)["status"]
        return found

    def condition(self, kind: str, key: Key = RULE) -> tuple[str, str]:
        row = next(row for row in self.status(key)["conditions"] if row["type"] == kind)
        return row["status"], row["reason"]

    def writes(self) -> int:
        return len([r for r in self.stage.made(Verb.STATUS) if r.name == RULE.name])


async def test_every_instance_has_its_block_and_the_set_says_so_in_short() -> None:
    """S-01, S-06, S-34: from a pod that was just made, and marked as a plan."""
    rules = await Rules().running()
    await rules.turn()
    status = rules.status()
    assert [row["instance"] for row in status["allocations"]] == ["web-1", "web-2", "web-3"]
    assert (status["poolSize"], status["portsPerInstance"]) == (3, 1024)
    assert status["instancesToNextTier"] == 47
    assert rules.condition("Programmed") == ("False", "PlanOnly")
    for _ in range(4):
        rules.stage.clock.advance(1)
        await rules.turn()
        await rules.stage.turn()
    said = rules.stage.status()
    assert said["outbound"] == {
        "rule": "web-out",
        "poolSize": 3,
        "portsPerInstance": 1024,
        "instancesToNextTier": 47,
    }
    assert rules.stage.condition("OutboundPortsSufficient")["reason"] == "WithinTier"


async def test_nothing_is_written_while_nothing_is_another() -> None:
    """One write, however often it looks."""
    rules = await Rules().running()
    for _ in range(5):
        await rules.turn()
        rules.stage.clock.advance(60)
    assert rules.writes() == 1


async def test_growth_is_written_at_once_and_reports_share_their_writes() -> None:
    """S-06: who joins has ports with the next turn; what agents report may wait ten seconds."""
    rules = await Rules().running()
    await rules.turn()
    nodes = {rules.stage.pod(f"web-{n}").node or "" for n in (1, 2, 3)}
    for node in nodes:
        rules.agents.by_node[node] = heard(rules.rule(), node=node)
    await rules.turn()
    assert rules.condition("Programmed") == ("True", "Programmed")
    assert rules.writes() == 2, "whether it is real is told at once"
    used = {f"web-{n}": {"used": 5, "peak": 5, "hottest": HOT} for n in (1, 2, 3)}
    for node in nodes:
        rules.agents.by_node[node] = heard(rules.rule(), node=node, used=used)
    assert await rules.turn() == 10.0
    assert rules.writes() == 2
    rules.stage.change_spec(replicas=4)
    await rules.stage.turn()
    await rules.stage.turn()
    await rules.turn()
    assert len(rules.status()["allocations"]) == 4
    assert rules.writes() == 3


async def test_two_operators_with_the_same_view_give_no_port_to_two() -> None:
    """S-16: the second write meets a conflict, and is decided anew on what the first one wrote."""
    rules = await Rules().running()
    await rules.turn()
    other = OutboundReporter(rules.resources, rules.stage.cluster, rules.stage.clock)
    behind = rules.rule()
    rules.stage.change_spec(replicas=4)
    await rules.stage.turn()
    await rules.stage.turn()
    await rules.turn()
    first = rules.status()
    # The other one still believes in the rule as it was, and in other instances.
    rules.resources.rules.drop(RULE)
    rules.resources.rules.put(behind.model_dump(mode="json", by_alias=True))
    rules.stage.change_spec(replicas=5)
    await rules.stage.turn()
    await rules.stage.turn()
    assert await other.turn(RULE) is not None
    assert rules.status() == first
    await rules.turn()
    blocks = [row["firstPort"] for row in rules.status()["allocations"]]
    assert len(blocks) == len(set(blocks)) == 5


async def test_without_a_present_view_nobody_loses_ports() -> None:
    """A cache that is cut off looks like one whose pods are gone."""
    rules = await Rules().running()
    await rules.turn()
    rules.stage.cluster.view.cut()
    rules.stage.clock.advance(60)
    due = await rules.reporter.turn(RULE)
    assert due is not None
    assert (due - rules.stage.clock.now()).total_seconds() == 1.0
    assert rules.writes() == 1


async def test_before_everything_was_heard_of_no_port_is_given_out() -> None:
    """An older rule, or a set whose instances hold ports, may not be known yet."""
    rules = await Rules().running()
    rules.resources.rules.heard = False
    assert await rules.turn() is None
    assert rules.writes() == 0
    rules.resources.hear_of_all_windows()
    await rules.turn()
    assert rules.writes() == 1


async def test_who_does_not_lead_writes_nothing() -> None:
    """Of several replicas one gives out ports."""
    leadership = FakeLeadership()
    rules = await Rules(leadership=leadership).running()
    assert await rules.turn() is None
    assert rules.writes() == 0


async def test_of_two_rules_in_conflict_the_older_wins_and_the_other_says_so() -> None:
    """One set, one address: nothing of it stands twice."""
    rules = await Rules().running()
    await rules.turn()
    rules.stage.clock.advance(5)
    late = Key(NAMESPACE, "late")
    rules.stage.server.apply("OutboundRule", *late, SPEC)
    await rules.turn(late)
    await rules.turn()
    assert rules.condition("Accepted") == ("True", "Valid")
    assert rules.condition("Accepted", late) == ("False", "ClaimedByOlderRule")
    assert "allocations" not in rules.status(late) or rules.status(late)["allocations"] == []
    assert len(rules.status()["allocations"]) == 3


async def test_instances_of_a_set_that_cannot_be_read_keep_their_ports() -> None:
    """A broken resource costs nobody the flows that stand."""
    rules = await Rules().running()
    await rules.turn()
    before = rules.status()["allocations"]
    rules.resources.drop_scale_set(KEY)
    rules.resources.unreadable["ScaleSet", KEY] = "spec.replicas: too many"
    rules.stage.clock.advance(60)
    await rules.reporter.turn(RULE)
    assert rules.status()["allocations"] == before


async def test_a_rule_that_is_gone_or_going_is_left_alone() -> None:
    """Nothing is written to it any more."""
    rules = await Rules().running()
    assert await rules.reporter.turn(Key(NAMESPACE, "none")) is None


async def test_a_set_that_no_rule_selects_has_no_ports_and_loses_those_it_had() -> None:
    """S-23, S-26: it leaves by the cluster's default; nothing of it is given out or counted."""
    rules = await Rules().running()
    await rules.turn()
    assert rules.status()["poolSize"] == 3
    stored = rules.stage.server.resource("ScaleSet", *KEY)
    stored["metadata"]["labels"] = {"tier": "api"}
    rules.stage.server.restore("ScaleSet", stored)
    await rules.turn()
    status = rules.status()
    assert (status["poolSize"], status["allocations"], status["unallocated"]) == (0, [], [])
    assert rules.condition("OutboundPortsSufficient") == ("True", "EmptyPool")

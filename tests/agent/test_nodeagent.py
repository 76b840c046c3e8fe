"""The agent of a node as a whole, on a plane that the test sees."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any, cast

import pytest

from scaleset_operator.agent import pauses
from scaleset_operator.agent.lastknown import Known, LastKnown
from scaleset_operator.agent.members import Member, member_of
from scaleset_operator.agent.nft import NftError
from scaleset_operator.agent.nodeagent import NodeAgent, Parts
from scaleset_operator.agent.pausedesk import PauseDesk
from scaleset_operator.agent.plane import Applied, Plane
from scaleset_operator.agent.usage import Triple, Usage
from scaleset_operator.api.agentreport import MAX_REPORTED, AgentReport, Hottest, program_of
from tests.agent.nodes import FRONT, pod, ports, rule
from tests.agent.test_pausedesk import T0, Freezers, asked

if TYPE_CHECKING:
    from pathlib import Path

    from scaleset_operator.agent.desired import Desired
    from scaleset_operator.api.outboundrule import OutboundRule

TRIE = f"  |-- {FRONT}\n     /32 host LOCAL\n"


class Planes:
    """A data plane that only remembers."""

    def __init__(self) -> None:
        self.applied: list[Desired] = []
        self.usage: dict[str, Usage] = {}
        self.fault: str | None = None
        self.table = False

    def apply(self, desired: Desired) -> Applied:
        if self.fault:
            raise NftError(self.fault)
        changed = desired not in self.applied[-1:]
        self.applied.append(desired)
        self.table = True
        return Applied(changed=changed, ended=2 if changed else 0)

    def observe(self, desired: Desired) -> dict[str, Usage]:
        if self.fault:
            raise NftError(self.fault)
        return {one.name: self.usage.get(one.name, Usage()) for one in desired.outlets}

    def stands(self) -> bool:
        return self.table

    def remove(self) -> bool:
        there, self.table = self.table, False
        return there


class Node:
    """An agent, its plane, its freezer and its disk."""

    def __init__(self, folder: Path) -> None:
        self.plane, self.freezer, self.folder = Planes(), Freezers(), folder
        self.trie = TRIE
        self.start_again()

    def start_again(self) -> None:
        desk = PauseDesk(self.freezer, self.folder, lambda _: self.folder, lambda: T0)
        parts = Parts(
            plane=cast("Plane", self.plane),
            desk=desk,
            last=LastKnown(self.folder),
            fib_trie=lambda: self.trie,
            inside=(IPv4Network("10.0.0.0/8"),),
        )
        self.agent = NodeAgent(parts, node="worker", version="1.2.3")

    def see(self, known: Known) -> AgentReport:
        self.agent.see(known)
        return self.agent.report()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "state")


def known(*numbers: int, rules: tuple[OutboundRule, ...] | None = None) -> Known:
    members = tuple(one for one in map(member_of, map(pod, numbers)) if one is not None)
    return Known(members, (rule(ports(1, 1024), ports(2, 2048)),) if rules is None else rules)


def test_it_reports_what_stands_in_the_kernel(node: Node) -> None:
    """S-34: by it the operator knows what is real, and what is a plan."""
    report = node.see(known(1))
    assert (report.version, report.node, report.frontends) == ("1.2.3", "worker", (FRONT,))
    assert report.rules["shop/web"].program == program_of(known(1).rules[0])
    assert list(report.instances) == ["shop/web-1"]
    one = report.instances["shop/web-1"]
    assert (one.first_port, one.last_port, one.used) == (1024, 2047, 0)
    assert report.message == ""
    assert AgentReport.model_validate_json(report.text()) == report


def test_what_could_not_be_carried_out_is_not_reported_as_real(node: Node) -> None:
    """And is tried again by the next round."""
    node.see(known(1))
    node.plane.fault = "nft is not there"
    report = node.see(known(1, 2, rules=(rule(ports(1, 1024, 512), ports(2, 2048)),)))
    assert list(report.instances) == ["shop/web-1"]
    assert report.instances["shop/web-1"].last_port == 2047
    assert report.rules["shop/web"].program == ""
    assert report.rules["shop/web"].message == "nft is not there"
    assert report.message == "nft is not there"
    node.plane.fault = None
    again = node.see(known(1, 2))
    assert list(again.instances) == ["shop/web-1", "shop/web-2"]
    assert again.message == ""
    assert node.agent.tally.failures == 1


def test_used_are_the_flows_to_the_hottest_destination_and_the_peak_stays(node: Node) -> None:
    """500, 200 and 10 need 500 ports (S-14); connections are told beside them (S-29)."""
    node.see(known(1))
    near, far = (
        Triple(IPv4Address("198.51.100.1"), 443, "tcp"),
        Triple(IPv4Address("198.51.100.2"), 53, "udp"),
    )
    node.plane.usage["shop/web-1"] = Usage(flows=710, ports=600, triples={near: 500, far: 210})
    node.agent.read()
    node.plane.usage["shop/web-1"] = Usage(flows=1, ports=1, triples={far: 1}, drops=7)
    node.agent.read()
    one = node.agent.report().instances["shop/web-1"]
    assert (one.used, one.peak, one.flows, one.refused) == (1, 500, 1, 7)
    assert one.hottest == Hottest(address="198.51.100.2", port=53, protocol="udp")
    assert node.agent.refused() == 7


def test_a_restart_without_the_api_server_goes_on_with_what_was_known(node: Node) -> None:
    before = known(1, 2)
    node.see(before)
    node.start_again()
    recalled = node.agent.recall()
    assert recalled == before
    node.agent.see(recalled)
    assert node.plane.applied[-1] == node.plane.applied[0], "so no flow notices"


def test_what_was_known_before_the_machine_started_anew_is_void(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its addresses may be other pods' by now."""
    node.see(known(1))
    monkeypatch.setattr(pauses, "boot", lambda: "another")
    assert node.agent.recall() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1}'])
def test_a_file_that_cannot_be_used_is_nothing(node: Node, text: str) -> None:
    node.see(known(1))
    (node.folder / "last-known.json").write_text(text, encoding="ascii")
    assert node.agent.recall() is None


def test_a_request_for_a_pause_is_not_recalled(node: Node) -> None:
    """It may have been taken back, or another have come, since it was written down."""
    node.see(Known((asked(),), ()))
    assert node.agent.recall() == Known((replace(asked(), asked=None),), ())


def test_a_node_without_instances_of_a_pool_gets_no_table(node: Node) -> None:
    """What costs nothing leaves no trace."""
    node.see(known(rules=()))
    node.agent.read()
    assert node.plane.applied == []
    node.see(known(1))
    node.see(known(rules=()))
    assert node.plane.applied[-1].outlets == (), "but who was there is taken out again"


def test_addresses_that_cannot_be_read_change_nothing(node: Node) -> None:
    node.see(known(1))

    def unreadable() -> str:
        raise PermissionError(13, "no")

    node.agent._parts = Parts(  # noqa: SLF001 - the file goes away under it
        **{**_fields(node.agent), "fib_trie": unreadable}
    )
    report = node.see(known(1, 2))
    assert "addresses cannot be read" in report.message
    assert list(report.instances) == ["shop/web-1"]


def _fields(agent: NodeAgent) -> dict[str, Any]:
    parts = agent._parts  # noqa: SLF001 - as above
    return {name: getattr(parts, name) for name in ("plane", "desk", "last", "inside")}


def test_removal_takes_the_rules_and_ends_all_pauses(node: Node) -> None:
    node.see(Known((asked(),), (rule(ports(1, 1024)),)))
    node.agent.pause((asked(),))
    assert node.agent.paused() == 1
    assert node.agent.remove()
    assert node.freezer.still == set()
    assert not node.plane.table
    assert not node.agent.remove()
    assert node.agent.report().instances == {}


def test_a_report_is_cut_to_what_it_may_hold(node: Node) -> None:
    members: list[Member] = []
    for number in range(MAX_REPORTED + 5):
        body = pod(1, name=f"web-{number}", uid=f"{number:032}")
        body["status"]["podIP"] = f"10.1.{number // 250}.{number % 250}"
        found = member_of(body)
        assert found is not None
        members.append(found)
    blocks = [ports(n, 1024 + 8 * n, 8) for n in range(MAX_REPORTED + 5)]
    report = node.see(Known(tuple(members), (rule(*blocks),)))
    assert len(report.instances) == MAX_REPORTED
    assert node.agent.outlets() == MAX_REPORTED + 5

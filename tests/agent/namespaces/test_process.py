"""The agent as it runs on a node: a process, an API server, real flows, real control groups."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from scaleset_operator.agent import cgroups
from scaleset_operator.agent.freezer import SOURCE_ROOT
from scaleset_operator.agent.options import DEFAULT_PORT
from scaleset_operator.api.agentreport import AgentReport, PauseState, program_of
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from tests.agent.nodes import pod, ports, rule
from tests.support import frost
from tests.support.frost import Counter
from tests.support.namespaces import FRONTENDS, client
from tests.support.waiting import wait_for
from tests.support.watched_objects import WatchedObjects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.agent.namespaces.gateway import Gateway

pytestmark = pytest.mark.timeout(300)

PODS: Final = "/api/v1/pods"
RULES: Final = "/apis/scaleset.dev/v1alpha1/outboundrules"
LEASE: Final = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/scaleset-agent-worker"
SOON_S: Final = 60.0
"""On a machine that is busy with others; alone it takes two, to start."""
PORT: Final = 6443


class Node:
    """One node: its agent, which may be killed and started again, and its API server."""

    def __init__(self, gateway: Gateway, folder: Path, cgroup_root: Path) -> None:
        self.gateway = gateway
        self.api: WatchedObjects | None = None
        self._folder = folder
        self._cgroup_root = cgroup_root
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "kubeconfig"
        self._config.write_text(json.dumps(_kubeconfig()), encoding="utf-8")

    def serve(self, *numbers: int, rules: tuple[dict[str, Any], ...]) -> WatchedObjects:
        """Starts the API server, with these pods and rules."""

        def listening() -> socket.socket:
            made = socket.socket()
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", PORT))
            made.listen()
            return made

        self.api = WatchedObjects((PODS, RULES), self.gateway.rooms.gateway.call(listening))
        for number in numbers:
            self.api.put(PODS, here(number))
        for one in rules:
            self.api.put(RULES, one)
        return self.api

    def start(self, *more: str) -> Self:
        """Starts the agent in the node's network, and in nobody else's process group."""
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [*self._argv(), *more],
                env=self._environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def page(self, name: str) -> tuple[int, str]:
        """Asks for one of its pages: the status, and what it says."""
        with self.gateway.rooms.gateway.call(socket.socket) as near:
            near.settimeout(5)
            try:
                near.connect(("127.0.0.1", DEFAULT_PORT))
            except ConnectionRefusedError:
                return 0, ""
            near.sendall(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
            with near.makefile("rb") as answer:
                said = answer.read().decode()
        head, _, body = said.partition("\r\n\r\n")
        return int(head.split()[1]), body

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Ends the agent, as whoever ends its container would."""
        if self._process is not None:
            with self._process:
                os.killpg(self._process.pid, number)
            self._process = None

    def uninstall(self) -> None:
        """Runs the agent's own removal."""
        done = subprocess.run(
            [*self._argv(), "--uninstall"],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def report(self) -> AgentReport:
        """What the agent last reported; fails where there is nothing yet."""
        assert self.api is not None
        lease = self.api.leases.get(LEASE)
        assert lease is not None, self.log()
        found = AgentReport.of(lease["metadata"]["annotations"])
        assert found is not None
        return found

    def await_program(self, body: dict[str, Any]) -> AgentReport:
        """Waits until the rule is carried out as it stands."""

        def told() -> AgentReport | None:
            report = self.report()
            wanted = program_of(type_of(body))
            found = report.rules.get("shop/web")
            assert found is not None, self.log()
            assert found.program == wanted, self.log()
            return report

        found = wait_for(told, SOON_S, "the rule is carried out")
        assert found is not None
        return found

    def log(self) -> str:
        """What the agent has said since it was last started."""
        log = self._folder / "log"
        return log.read_text(encoding="utf-8") if log.exists() else ""

    def _argv(self) -> list[str]:
        # Not `ip netns exec`, which hides the control groups.
        door = f"--net=/run/netns/{self.gateway.rooms.gateway.name}"
        return [
            *("nsenter", door, "--", sys.executable, "-m", "scaleset_operator", "agent"),
            *("--node", "worker", "--namespace", "ops", "--inside", "10.9.0.0/16"),
            *("--state-dir", str(self._folder / "state"), "--cgroup-root", str(self._cgroup_root)),
        ]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KUBECONFIG": str(self._config),
            "PYTHONPATH": str(SOURCE_ROOT),
        }


def _kubeconfig() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{PORT}"}}],
        "users": [{"name": "test", "user": {"token": "t"}}],
    }


def here(number: int, **metadata: Any) -> dict[str, Any]:
    """The pod that is client `number`."""
    body = pod(number, **metadata)
    body["status"]["podIP"] = str(client(number))
    return body


def allocated(*allocations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The rule web as the API server has it."""
    return rule(*allocations, **changes).model_dump(mode="json", by_alias=True)


def type_of(body: dict[str, Any]) -> Any:
    return rule().model_validate(body)


def block(number: int, size: int = 64) -> dict[str, Any]:
    """The ports of client `number`."""
    return ports(number, 1024 + (number - 1) * size, size, str(FRONTENDS[0]))


@pytest.fixture
def version() -> str:
    """Of control groups that can be made here."""
    found = [one for one in ("v1", "v2") if frost.why_not(one) is None]
    if not found:
        pytest.skip(f"{frost.why_not('v1')}; {frost.why_not('v2')}")
    return found[0]


@pytest.fixture
def node(gateway: Gateway, tmp_path: Path) -> Iterator[Node]:
    """A node whose agent and API server go with the test."""
    roots = frost.roots()
    root = roots["v1"].parent if "v1" in roots else roots.get("v2", Path("/sys/fs/cgroup"))
    made = Node(gateway, tmp_path, root)
    yield made
    made.kill()
    if made.api is not None:
        made.api.close()


def test_flows_leave_from_the_ports_that_the_rule_allocates(node: Node, gateway: Gateway) -> None:
    """And the agent says what is real (S-34)."""
    body = allocated(block(1), block(2), block(9))
    api = node.serve(1, 2, 3, rules=(body,))
    node.start()
    report = node.await_program(body)
    assert list(report.instances) == ["shop/web-1", "shop/web-2"]
    assert report.frontends == (str(FRONTENDS[0]),)
    assert "fieldSelector=spec.nodeName%3Dworker" in api.asked[0]
    for number, protocol in ((1, "tcp"), (2, "udp")):
        flow = gateway.opened(number, protocol=protocol)
        first = 1024 + (number - 1) * 64
        assert flow.seen[0] == str(FRONTENDS[0])
        assert first <= flow.port < first + 64
    other = gateway.opened(3)
    assert other.seen[0] == str(client(3)), "who has no ports is left to whoever else translates"


def test_a_change_of_the_rule_ends_only_the_flows_on_reclaimed_ports(
    node: Node, gateway: Gateway
) -> None:
    """S-07."""
    api = node.serve(1, rules=(allocated(block(1, 64)),))
    node.start().await_program(allocated(block(1, 64)))
    flows = [gateway.opened(1) for _ in range(24)]
    halved = allocated(block(1, 32))
    api.put(RULES, halved)
    node.await_program(halved)
    lost = [flow for flow in flows if flow.port >= 1024 + 32]
    assert [flow for flow in flows if not flow.lives(1.0)] == lost
    assert 0 < len(lost) < len(flows)


def test_a_killed_agent_and_its_next_run_break_no_flow(node: Node, gateway: Gateway) -> None:
    """Also where the API server is away meanwhile."""
    body = allocated(block(1))
    api = node.serve(1, rules=(body,))
    node.start().await_program(body)
    flow = gateway.opened(1)
    standing = gateway.nft().standing()
    node.kill()
    assert flow.lives()
    api.close()
    node.api = None
    node.start()
    wait_for(lambda: "/api/v1/pods: Client" in node.log(), SOON_S, "it finds nobody")
    assert gateway.nft().standing() == standing
    assert flow.lives()
    assert gateway.opened(1).seen[0] == str(FRONTENDS[0])
    node.kill(signal.SIGTERM)
    assert gateway.nft().standing() == standing, "a stop takes nothing away"
    node.serve(1, rules=(body,))
    node.start().await_program(body)
    assert flow.lives()


def test_without_anything_known_and_without_an_api_server_it_touches_nothing(
    node: Node, gateway: Gateway
) -> None:
    """What stands there may be what a former agent made."""
    body = allocated(block(1))
    node.serve(1, rules=(body,))
    node.start().await_program(body)
    standing = gateway.nft().standing()
    node.kill()
    assert node.api is not None
    node.api.close()
    node.api = None
    (node._folder / "state" / "last-known.json").unlink()  # noqa: SLF001 - its disk is lost
    node.start()
    wait_for(lambda: "/api/v1/pods: Client" in node.log(), SOON_S, "it finds nobody")
    time.sleep(1)
    assert gateway.nft().standing() == standing


def test_the_removal_leaves_the_rules_as_they_were_found(node: Node, gateway: Gateway) -> None:
    """Foreign rules are never touched."""
    foreign = "table ip foreign {\n  chain c {\n    type filter hook forward priority 0;\n  }\n}"
    gateway.rooms.gateway.run("nft", "-f", "-", sent=foreign)
    before = gateway.ruleset()
    body = allocated(block(1))
    node.serve(1, rules=(body,))
    node.start().await_program(body)
    assert gateway.ruleset() != before
    node.kill()
    node.uninstall()
    assert gateway.ruleset() == before


def test_after_the_removal_it_waits_alive_and_ready(node: Node, gateway: Gateway) -> None:
    """A DaemonSet goes on to the next node only then, and nobody ends what waits."""
    before = gateway.ruleset()
    body = allocated(block(1))
    node.serve(1, rules=(body,))
    node.start().await_program(body)
    node.kill()
    node.start("--uninstall", "--stay")
    wait_for(lambda: node.page("readyz")[0] == 200, SOON_S, "it is ready")
    assert gateway.ruleset() == before
    assert node.page("healthz") == (200, "ok\n")
    assert node.page("metrics") == (200, "")
    node.kill(signal.SIGTERM)


def test_who_is_denied_cannot_leave_and_can_be_reached(node: Node, gateway: Gateway) -> None:
    """S-28, S-31: answers pass, so the prober's way in does."""
    body = allocated(**{"spec.denyOutbound": True, "status.denied": ["web-1"]})
    node.serve(1, 2, rules=(body,))
    node.start().await_program(body)
    assert gateway.refused(1)
    assert gateway.opened(2).lives()
    rooms = gateway.rooms
    listening = rooms.tcp(rooms.clients, client(1), 8080)
    listening.listen()
    probing = socket.socket
    with rooms.server.call(lambda: probing(socket.AF_INET, socket.SOCK_STREAM)) as prober:
        prober.settimeout(5)
        prober.connect((str(client(1)), 8080))
        assert node.report().instances["shop/web-1"].first_port == 0


def test_a_pause_is_carried_out_and_ends_in_time_though_the_agent_is_killed(
    node: Node, version: str, tmp_path: Path
) -> None:
    """Same process, same start, thawed on time, and told by the next agent (M-02)."""
    name = f"pod{here(1)['metadata']['uid']}"
    group = frost.roots()[version] / name
    group.mkdir()
    counter = Counter(group, tmp_path / "count")
    try:
        began = counter.began()
        api = node.serve(1, rules=())
        node.start()
        wait_for(lambda: node.report().node == "worker", SOON_S, "it reports")
        deadline = datetime.now(UTC) + timedelta(minutes=5)
        request = PauseRequest(id="r1", deadline=deadline, seconds=6)
        api.put(PODS, here(1, annotations={ANNOTATION_PAUSE: request.text()}))
        await_answer(node, PauseState.PAUSED)
        assert cgroups.is_frozen(group)
        still = counter.count()
        node.kill()
        time.sleep(0.2)
        assert counter.count() == still
        wait_for(lambda: not cgroups.is_frozen(group), 6 + SOON_S, "it is thawed", every=0.05)
        assert counter.goes_on()
        assert counter.began() == began
        node.start()
        await_answer(node, PauseState.THAWED)
    finally:
        cgroups.thaw(group)
        counter.end()
        wait_for(lambda: not (group / "cgroup.procs").read_text(), 5, "it is empty")
        group.rmdir()


def test_an_agent_that_hears_nobody_ends_no_pause(node: Node, version: str, tmp_path: Path) -> None:
    """It was asked for after what the agent recalls (M-02)."""
    group = frost.roots()[version] / f"pod{here(1)['metadata']['uid']}"
    group.mkdir()
    counter = Counter(group, tmp_path / "count")
    try:
        api = node.serve(1, rules=())
        node.start()
        wait_for(lambda: node.report().node == "worker", SOON_S, "it reports")
        deadline = datetime.now(UTC) + timedelta(minutes=5)
        request = PauseRequest(id="r1", deadline=deadline, seconds=240)
        api.put(PODS, here(1, annotations={ANNOTATION_PAUSE: request.text()}))
        await_answer(node, PauseState.PAUSED)
        node.kill()
        api.close()
        node.start()
        wait_for(lambda: "/api/v1/pods: Client" in node.log(), SOON_S, "it finds nobody")
        time.sleep(2)
        assert cgroups.is_frozen(group)
        node.serve(1, rules=())
        wait_for(lambda: not cgroups.is_frozen(group), SOON_S, "it is asked for no more")
    finally:
        node.kill()
        cgroups.thaw(group)
        counter.end()
        wait_for(lambda: not (group / "cgroup.procs").read_text(), 5, "it is empty")
        group.rmdir()


def await_answer(node: Node, state: PauseState) -> None:
    uid = here(1)["metadata"]["uid"]

    def told() -> bool:
        answer = node.report().pauses.get(uid)
        assert answer is not None, node.log()
        assert (answer.id, answer.state) == ("r1", state), node.log()
        return True

    wait_for(told, SOON_S, f"the answer is {state}")

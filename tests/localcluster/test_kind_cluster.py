"""Making and removing a kind cluster: which commands, in which order, what is left. All faked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localcluster import build
from localcluster.cli import main
from localcluster.commands import CommandError
from localcluster.kind import cli, loading, machine, programs, state
from localcluster.kind.cluster import KindCluster
from localcluster.kind.machine import Machine, Restrictions
from localcluster.processes import ProcessId
from localcluster.restricted import baseimage, engine, nodeimage
from localcluster.restricted.network import Node
from tests.localcluster.pretended import Pretended

LACKING = Restrictions(no_sys_resource=True, cgroup_v1=True)
ORDINARY = Machine(engine=None, image=None, root=False, missing=(), restrictions=LACKING)
RESTRICTED = Machine(engine="none", image="none", root=True, missing=(), restrictions=LACKING)

KUBECTL = "docker exec --interactive scaleset-control-plane kubectl"
NO_NETWORK = {"docker network inspect kind": CommandError("no such network")}
NODE_ITEM = {
    "metadata": {"name": "scaleset-worker"},
    "spec": {"podCIDR": "10.244.1.0/24"},
    "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]},
}
LISTED = {
    f"{KUBECTL} --kubeconfig=/etc/kubernetes/admin.conf get nodes": json.dumps(
        {"items": [NODE_ITEM]}
    )
}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Commands with a cache of their own, on an ordinary machine that has kind."""
    monkeypatch.setattr(machine, "look", lambda _run: ORDINARY)
    monkeypatch.setattr(programs, "find_or_build", lambda *_: Path("kind"))
    pretended = Pretended()
    pretended.environment["XDG_CACHE_HOME"] = str(tmp_path)
    return pretended


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch, run: Pretended) -> list[str]:
    """What happens to the engine of a restricted machine."""
    told: list[str] = []

    def launch(*_: object) -> ProcessId:
        told.append("launched")
        return ProcessId(1, 0)

    monkeypatch.setattr(machine, "look", lambda _run: RESTRICTED)
    monkeypatch.setattr(build, "build_into", lambda *_: {})
    monkeypatch.setattr(build, "module_folder", lambda *_: Path("source"))
    monkeypatch.setattr(nodeimage, "make", lambda *_: "node:image")
    monkeypatch.setattr(engine, "configure", lambda *_, wrapped: told.append(f"wrapped {wrapped}"))
    monkeypatch.setattr(engine, "launch", launch)
    monkeypatch.setattr(engine, "wait_ready", lambda *_: told.append("ready"))
    monkeypatch.setattr(engine, "stop", lambda _process: told.append("stopped"))
    monkeypatch.setattr(engine, "forwarding", lambda: "0")
    monkeypatch.setattr(engine, "set_forwarding", lambda value: told.append(f"forwarding {value}"))
    run.answers |= LISTED
    return told


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built, in which order."""
    told: list[str] = []

    def make(*_: object) -> str:
        told.append("node")
        return "node:image"

    monkeypatch.setattr(programs, "build_all", lambda *_: told.append("programs"))
    monkeypatch.setattr(nodeimage, "make", make)
    monkeypatch.setattr(baseimage, "make", lambda *_: told.append("python"))
    return told


def ran(run: Pretended, start: str) -> list[str]:
    """Give the command lines that begin so."""
    return [line for line in run.ran if line.startswith(start)]


def test_on_an_ordinary_machine_kind_makes_it_with_its_own_image_and_nothing_else(
    run: Pretended, tmp_path: Path
) -> None:
    cluster = KindCluster(run)
    known = cluster.up()
    (made,) = ran(run, "kind create")
    assert f"--image {programs.NODE_IMAGE}" in made
    assert f"--kubeconfig {cluster.kubeconfig}" in made
    assert cluster.kubeconfig.is_relative_to(tmp_path)
    assert (known.docker_host, known.engine, known.nodes) == (None, None, ())
    assert "DOCKER_HOST" not in run.environment
    assert ran(run, "ip ") == []


def test_a_cluster_that_is_up_is_left_as_it_is(run: Pretended) -> None:
    first = KindCluster(run).up()
    run.ran.clear()
    assert KindCluster(run).up() == first
    assert run.ran == [f"{KUBECTL} --kubeconfig=/etc/kubernetes/admin.conf get --raw /readyz"]


def test_one_that_does_not_answer_is_removed_and_made_again(run: Pretended) -> None:
    KindCluster(run).up()
    readyz = f"{KUBECTL} --kubeconfig=/etc/kubernetes/admin.conf get --raw"
    run.answers[readyz] = CommandError("refused")
    assert KindCluster(run).state() is None
    run.ran.clear()
    KindCluster(run).up()
    assert [line.split()[1] for line in ran(run, "kind")] == ["delete", "create"]


def test_one_that_answers_late_is_up_where_that_is_waited_for(
    run: Pretended, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = KindCluster(run).up()
    readyz = f"{KUBECTL} --kubeconfig=/etc/kubernetes/admin.conf get --raw"
    run.answers[readyz] = CommandError("busy")
    cluster = KindCluster(run)
    assert cluster.state() is None
    monkeypatch.setattr("time.sleep", lambda _: run.answers.pop(readyz))
    assert cluster.state(within=60.0) == first


def test_a_start_that_fails_leaves_nothing(run: Pretended) -> None:
    run.answers["kind create"] = CommandError("no room")
    with pytest.raises(CommandError, match="no room"):
        KindCluster(run).up()
    assert len(ran(run, "kind delete")) == 1
    assert KindCluster(run).down() is False


@pytest.mark.parametrize("ours", [True, False])
def test_kind_s_network_goes_only_where_it_was_not_there_before(
    run: Pretended, *, ours: bool
) -> None:
    run.answers |= NO_NETWORK if ours else {}
    KindCluster(run).up()
    assert KindCluster(run).down()
    assert bool(ran(run, "docker network rm kind")) is ours
    assert len(ran(run, "kind delete cluster")) == 1


def test_on_a_restricted_machine_all_happens_in_an_engine_of_our_own(
    run: Pretended, engines: list[str]
) -> None:
    known = KindCluster(run).up()
    assert engines == ["wrapped True", "launched", "ready"]
    assert run.environment["DOCKER_HOST"] == known.docker_host == engine.HOST
    assert "--image node:image" in ran(run, "kind create")[0]
    assert ran(run, "ip ") == ["ip route replace 10.244.1.0/24 via 172.18.0.3"]


def test_its_removal_takes_back_containers_network_routes_engine_and_forwarding(
    run: Pretended, engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    KindCluster(run).up()
    engines.clear()
    run.ran.clear()
    run.answers["docker ps --all"] = "left\n"
    monkeypatch.setattr("localcluster.kind.cluster.is_running", lambda _process: True)
    assert KindCluster(run).down()
    assert run.ran == [
        "ip route del 10.244.1.0/24 via 172.18.0.3",
        "kind delete cluster --name scaleset",
        "docker ps --all --quiet",
        "docker rm --force --volumes left",
        "docker network rm kind",
        "docker volume prune --force",
        "docker image prune --force",
    ]
    assert engines == ["stopped", "forwarding 0"]


def test_an_engine_that_ended_by_itself_is_started_to_be_cleared(
    run: Pretended, engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    KindCluster(run).up()
    engines.clear()
    monkeypatch.setattr("localcluster.kind.cluster.is_running", lambda _process: False)
    assert KindCluster(run).down()
    assert engines == ["launched", "ready", "stopped", "forwarding 0"]


def test_an_engine_that_cannot_run_here_is_told_of_once_and_leaves_nothing(
    run: Pretended, engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        message = "no right to mount"
        raise engine.EngineError(message)

    monkeypatch.setattr(engine, "wait_ready", refuse)
    with pytest.raises(engine.EngineError, match="no right to mount"):
        KindCluster(run).up()
    assert engines == ["wrapped True", "launched", "forwarding 0"]
    assert KindCluster(run).down() is False


def test_building_needs_no_cluster_and_leaves_nothing_running(
    run: Pretended, engines: list[str], built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localcluster.kind.cluster.is_running", lambda _process: True)
    KindCluster(run).build()
    assert built == ["programs", "node", "python"]
    assert engines == ["wrapped True", "launched", "ready", "stopped", "forwarding 0"]
    assert ran(run, "kind create") == []
    assert KindCluster(run).down() is False


def test_building_on_an_ordinary_machine_leaves_its_docker_alone(
    run: Pretended, built: list[str]
) -> None:
    KindCluster(run).build()
    assert built == ["programs"]
    assert run.ran == []


@pytest.mark.usefixtures("engines")
def test_where_a_cluster_is_up_all_is_built(run: Pretended, built: list[str]) -> None:
    KindCluster(run).up()
    built.clear()
    KindCluster(run).build()
    assert built == []


def test_what_is_known_of_a_cluster_is_read_as_it_was_written(run: Pretended) -> None:
    folder = state.folder(run.environment)
    assert state.read(folder) is None
    with state.alone(folder):
        nodes = (Node("a", "172.18.0.2", "10.244.0.0/24"),)
        written = state.State("/k", "unix:///s", ProcessId(3, 4), "0", nodes=nodes, ready=True)
        assert state.write(folder, written) == written
        assert state.read(folder) == written
        state.forget(folder)
    assert state.read(folder) is None


def test_images_are_loaded_by_name_and_by_archive(run: Pretended, tmp_path: Path) -> None:
    archive = tmp_path / "web.tar"
    archive.touch()
    with pytest.raises(CommandError, match="make kind"):
        loading.load(KindCluster(run), "web:1")
    KindCluster(run).up()
    loading.load(KindCluster(run), "web:1", str(archive))
    assert ran(run, "kind load") == [
        "kind load docker-image web:1 --name scaleset",
        f"kind load image-archive {archive} --name scaleset",
    ]


def test_every_node_learns_an_image_s_name_by_digest(run: Pretended) -> None:
    KindCluster(run).up()
    listing = "docker exec scaleset-control-plane ctr --namespace k8s.io images ls"
    run.answers[listing] = "REF TYPE\ndocker.io/library/web:1 manifest sha256:12ab 5.8 MiB\n"
    name = loading.by_digest(KindCluster(run), "web:1")
    assert name == "docker.io/library/web@sha256:12ab"
    tagged = [line for line in run.ran if " tag " in line]
    assert len(tagged) == 3
    assert all(line.endswith(f"docker.io/library/web:1 {name}") for line in tagged)
    run.answers[listing] = "REF TYPE\n"
    with pytest.raises(CommandError, match=r"do not have docker\.io/library/db:latest"):
        loading.by_digest(KindCluster(run), "db")


def test_python_s_own_image_is_the_base_where_it_can_be_pulled(run: Pretended) -> None:
    KindCluster(run).up()
    assert loading.python_base(KindCluster(run)) == loading.PYTHON_BASE


@pytest.mark.usefixtures("engines")
def test_elsewhere_a_base_is_made(run: Pretended) -> None:
    KindCluster(run).up()
    assert loading.python_base(KindCluster(run)).startswith("localcluster/python:")


def test_a_person_is_told_how_to_use_it_and_when_there_is_none(
    run: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "KindCluster", lambda: KindCluster(run))
    assert main(["kind", "status"]) == 0
    assert capsys.readouterr().out == "no kind cluster is up\n"
    assert main(["kind", "up"]) == 0
    told = capsys.readouterr()
    assert "Ready in 0 s." in told.err
    assert told.out == f"export KUBECONFIG={KindCluster(run).kubeconfig}\n"
    assert main(["kind", "status", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["ready"] is True
    assert main(["kind", "down"]) == 0
    assert main(["kind", "down"]) == 0
    assert capsys.readouterr().out == "kind cluster: removed\nno kind cluster is up\n"


def test_a_machine_that_can_have_none_is_told_so_in_one_message(
    run: Pretended, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = Machine(engine="no daemon", image="", root=False, missing=(), restrictions=LACKING)
    monkeypatch.setattr(machine, "look", lambda _run: alone)
    monkeypatch.setattr(cli, "KindCluster", lambda: KindCluster(run))
    assert main(["kind", "up"]) == 1
    assert capsys.readouterr().err.startswith("error: Docker does not answer: no daemon")

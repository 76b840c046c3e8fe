"""What is made for a machine without images, as values and as commands; nothing is run here."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from localcluster.commands import CommandError
from localcluster.processes import is_running
from localcluster.restricted import (
    baseimage,
    components,
    engine,
    mounts,
    network,
    nodeimage,
    noderoot,
    rootfs,
)
from localcluster.restricted.network import Node
from tests.localcluster.pretended import Pretended

NODES = (Node("a", "172.18.0.2", "10.244.0.0/24"), Node("b", "172.18.0.3", "10.244.1.0/24"))

CONTAINERD = """
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
"""
KUBEADM = """registry.k8s.io/kube-apiserver:v1.36.3
registry.k8s.io/coredns/coredns:v1.14.1
registry.k8s.io/pause:3.10.2
registry.k8s.io/etcd:3.6.8-0
"""
STATUS = """iptables\tlibc6 (>= 2.36), libxtables12 (= 1.8.9-2), debconf (>= 0.5) | debconf-2.0
libc6\tlibgcc-s1
libgcc-s1\tlibc6 (>= 2.35)
libxtables12\tlibc6:any (>= 2.34)
kmod\tlibc6
"""


# --- The engine --------------------------------------------------------------------------------


def test_our_engine_shares_nothing_with_another_and_writes_no_rules(tmp_path: Path) -> None:
    found = engine.configuration(tmp_path, tmp_path / "images", wrapped=False)
    paths = [*found["hosts"], found["exec-root"], found["pidfile"], found["data-root"]]
    assert all("/run/localcluster-kind/" in path or str(tmp_path) in path for path in paths)
    assert (found["bridge"], found["iptables"], found["ip6tables"]) == ("none", False, False)


def test_the_runtime_before_runc_is_used_only_where_it_is_needed(tmp_path: Path) -> None:
    plain = engine.configuration(tmp_path, tmp_path, wrapped=False)
    assert not {"runtimes", "default-runtime"} & plain.keys()
    wrapped = engine.configuration(tmp_path, tmp_path, wrapped=True)
    assert wrapped["runtimes"][wrapped["default-runtime"]] == {"path": str(tmp_path / "runtime")}


def test_the_runtime_is_copied_away_from_the_checkout(tmp_path: Path) -> None:
    engine.configure(tmp_path, tmp_path / "images", wrapped=True)
    script = (tmp_path / "runtime").read_text()
    assert f'"{tmp_path}/runtime.py" "$@"' in script
    assert str(Path(engine.__file__).parent) not in script
    assert (tmp_path / "runtime").stat().st_mode & 0o111


def test_an_engine_that_is_not_installed_is_told_of(tmp_path: Path) -> None:
    engine.configure(tmp_path, tmp_path / "images", wrapped=False)
    with pytest.raises(engine.EngineError, match="dockerd is not installed"):
        engine.launch(tmp_path, Pretended(path=str(tmp_path)))


def install(folder: Path, script: str) -> Pretended:
    """Give commands that find this script as dockerd, and no docker that answers."""
    program = folder / "dockerd"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Pretended({"docker info": CommandError("no daemon")}, f"{folder}:/bin:/usr/bin")


@pytest.fixture
def engine_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the configuration of an engine whose sockets lie in it, too."""
    monkeypatch.setattr(engine, "RUN", tmp_path / "run")
    engine.configure(tmp_path, tmp_path / "images", wrapped=False)
    return tmp_path


def test_an_engine_outlives_who_started_it_until_it_is_stopped(engine_folder: Path) -> None:
    run = install(engine_folder, 'echo "$@"; exec sleep 60')
    run.answers.clear()
    started = engine.launch(engine_folder, run)
    engine.wait_ready(started, engine_folder, run)
    status = Path(f"/proc/{started.pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status
    assert engine.stop(started)
    assert not is_running(started)
    assert not engine.RUN.exists()


def test_an_engine_that_cannot_run_here_is_told_in_its_own_words(engine_folder: Path) -> None:
    run = install(engine_folder, "echo no right to mount; exit 1")
    with pytest.raises(engine.EngineError, match=r"(?s)its log says:.*no right to mount"):
        engine.wait_ready(engine.launch(engine_folder, run), engine_folder, run)


def test_what_is_mounted_in_a_folder_is_found_the_last_first() -> None:
    text = "proc /a/proc proc rw 0 0\nsys /b/sys sysfs rw 0 0\nx /a/proc/sys proc rw 0 0\n"
    assert mounts.under(Path("/a"), text) == ["/a/proc/sys", "/a/proc"]


# --- The network -------------------------------------------------------------------------------


def test_nodes_are_read_from_the_list_of_the_api_server() -> None:
    addresses = [
        {"type": "Hostname", "address": "a"},
        {"type": "InternalIP", "address": "172.18.0.2"},
    ]
    item = {
        "metadata": {"name": "a"},
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {"addresses": addresses},
    }
    assert network.nodes_of({"items": [item]}) == [NODES[0]]


def test_a_node_s_pods_have_addresses_of_its_own_block() -> None:
    ptp, portmap = json.loads(network.conflist("10.244.1.0/24"))["plugins"]
    assert ptp["type"] == "ptp"
    assert ptp["ipam"]["type"] == "host-local"
    assert ptp["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert portmap["capabilities"] == {"portMappings": True}


def test_every_node_and_the_host_have_a_route_to_each_other_node_s_pods() -> None:
    run = Pretended()
    network.set_up(NODES, run)
    routes = [line for line in run.ran if "route" in line]
    assert routes == [
        "ip route replace 10.244.0.0/24 via 172.18.0.2",
        "docker exec --interactive a ip route replace 10.244.1.0/24 via 172.18.0.3",
        "ip route replace 10.244.1.0/24 via 172.18.0.3",
        "docker exec --interactive b ip route replace 10.244.0.0/24 via 172.18.0.2",
    ]
    written = [text for text in run.sent if text]
    assert written == [network.conflist(node.pod_cidr).encode() for node in NODES]


def test_the_host_s_routes_are_taken_back() -> None:
    run = Pretended()
    network.tear_down(NODES, run)
    assert run.ran == [
        "ip route del 10.244.0.0/24 via 172.18.0.2",
        "ip route del 10.244.1.0/24 via 172.18.0.3",
    ]


# --- Images ------------------------------------------------------------------------------------


def test_the_images_are_those_of_kubeadm_and_containerd_without_dns() -> None:
    assert [components.program(name) for name in components.wanted(KUBEADM, CONTAINERD)] == [
        *("etcd", "kube-apiserver", "pause", "pause")
    ]


def test_a_component_s_image_holds_its_program_and_runs_it(tmp_path: Path) -> None:
    program = tmp_path / "etcd"
    program.write_text("program")
    held: dict[str, tarfile.TarInfo] = {}

    class Engine(Pretended):
        def __call__(self, *argv: str, stdin: bytes = b"", timeout: float | None = None) -> str:
            with tarfile.open(argv[-2]) as tar:
                held.update({entry.name: entry for entry in tar})
            return super().__call__(*argv, stdin=stdin, timeout=timeout)

    run = Engine()
    components.import_images(["registry.k8s.io/etcd:1"], {"etcd": program}, tmp_path, run)
    assert run.ran[0].startswith('docker import --change ENTRYPOINT ["/usr/local/bin/etcd"] ')
    assert run.ran[0].endswith(" registry.k8s.io/etcd:1")
    assert held.keys() == {"tmp", "usr/local/bin/etcd"}
    entry = held["usr/local/bin/etcd"]
    assert (entry.uid, entry.mode) == (0, 0o755)


def test_packages_are_taken_with_all_they_depend_on() -> None:
    assert rootfs.with_dependencies(["iptables"], STATUS) == [
        *("iptables", "libc6", "libgcc-s1", "libxtables12")
    ]


def test_packages_come_from_where_apt_has_them() -> None:
    listed = (
        "trixie main http://a/debian\nbookworm main http://b/debian\nbookworm contrib http://c\n"
    )
    assert rootfs.mirror(Pretended({"apt-get indextargets": listed})) == ("http://b/debian",)
    assert rootfs.mirror(Pretended({"apt-get indextargets": "noble main http://u\n"})) == ()


def test_an_archive_of_a_root_is_kept_under_its_packages_and_not_made_again(
    tmp_path: Path,
) -> None:
    root = rootfs.Root("small", ("jq",), 1)
    other = rootfs.Root("small", ("jq", "curl"), 1)
    assert root.path(tmp_path) != other.path(tmp_path)
    root.path(tmp_path).touch()
    run = Pretended()
    assert rootfs.make(root, tmp_path, run) == root.path(tmp_path)
    assert run.ran == []


def test_a_root_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    run = Pretended({"debootstrap": CommandError("no mirror")})
    with pytest.raises(CommandError, match="no mirror"):
        rootfs.make(rootfs.Root("small", (), 1), tmp_path, run)
    assert list(tmp_path.iterdir()) == []


def test_images_that_are_there_are_not_built_again(tmp_path: Path) -> None:
    run = Pretended()
    assert nodeimage.make(run, tmp_path, {}, tmp_path) == nodeimage.name()
    assert baseimage.make(tmp_path, run).startswith("localcluster/python:")
    assert all(line.startswith("docker image inspect") for line in run.ran)


def test_containers_start_from_kind_s_hook_and_without_limits() -> None:
    default: dict[str, Any] = {"process": {"cwd": "/", "rlimits": [1]}, "hooks": {"poststop": []}}
    assert noderoot.container_spec(default) == {
        "process": {"cwd": "/"},
        "hooks": {
            "poststop": [],
            "createContainer": [{"path": "/kind/bin/mount-product-files.sh"}],
        },
    }

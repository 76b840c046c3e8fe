"""The file system of a node: Debian packages, kind's own files for its base image, our binaries.

It does what the Dockerfile of kind's base image does. It must not know the engine that runs it.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from localcluster.binaries import KUBERNETES
from localcluster.restricted.rootfs import Root

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcluster.commands import Commands

ROOT = Root(
    "node",
    (
        *("systemd", "systemd-sysv", "dbus", "kmod", "procps", "e2fsprogs"),
        *("conntrack", "iptables", "nftables", "ebtables", "iproute2", "ethtool", "socat"),
        *("runc", "containernetworking-plugins", "rsync", "jq", "curl", "ca-certificates"),
    ),
    60,
)

ENTRYPOINT = ("/usr/local/bin/entrypoint", "/sbin/init")
BASE_FILES = "images/base/files"
"""Where the kind module holds the files of its base image."""

_CNI = ("host-local", "loopback", "ptp", "portmap")
_BINARIES = {
    "kubelet": "usr/bin",
    "kubeadm": "usr/bin",
    "kubectl": "usr/bin",
    "containerd": "usr/local/bin",
    "containerd-shim-runc-v2": "usr/local/bin",
    "ctr": "usr/local/bin",
}
# Units that a node in a container has no use for, as kind's Dockerfile removes them.
_UNWANTED = (
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
)
_ENABLED = ("kubelet.service", "containerd.service", "undo-mount-hacks.service")
_HOOK = {"path": "/kind/bin/mount-product-files.sh"}


def furnish(tree: Path, kind_source: Path, binaries: Mapping[str, Path], run: Commands) -> None:
    """Make a node of an unpacked root file system.

    Raises:
        CommandError: a program in the tree failed.
    """
    for pattern in _UNWANTED:
        for unit in tree.glob(pattern):
            unit.unlink()
    _copy_kind_files(kind_source / BASE_FILES, tree)
    with (tree / "etc/systemd/journald.conf").open("a") as journal:
        journal.write("ReadKMsg=no\n")
    run("chroot", str(tree), "systemctl", "enable", *_ENABLED)
    run("chroot", str(tree), "systemctl", "mask", "systemd-binfmt.service")
    for name, folder in _BINARIES.items():
        shutil.copy(binaries[name], tree / folder / name)
    (tree / "opt/cni/bin").mkdir(parents=True)
    for name in _CNI:
        shutil.copy(tree / "usr/lib/cni" / name, tree / "opt/cni/bin" / name)
    shutil.rmtree(tree / "usr/lib/cni")
    (tree / "etc/kubernetes/manifests").mkdir(parents=True)
    (tree / "kind/version").write_text(f"v{KUBERNETES}")
    spec = container_spec(json.loads(run(str(binaries["ctr"]), "oci", "spec")))
    (tree / "etc/containerd/cri-base.json").write_text(json.dumps(spec))


def container_spec(default: Mapping[str, Any]) -> dict[str, Any]:
    """Give the description that every container starts from: with kind's hook, without limits."""
    process = {key: value for key, value in default["process"].items() if key != "rlimits"}
    hooks = default.get("hooks", {})
    created = [*hooks.get("createContainer", ()), _HOOK]
    return {**default, "process": process, "hooks": {**hooks, "createContainer": created}}


def _copy_kind_files(source: Path, tree: Path) -> None:
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        target = tree / file.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        # Go keeps its modules without the right to execute.
        target.chmod(0o755 if file.parent.name == "bin" else 0o644)

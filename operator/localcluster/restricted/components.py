"""The images of the cluster's own components, made from binaries: kubeadm says which are wanted.

Each is imported into an engine under the name that kubeadm uses. It must not know nodes.
"""

from __future__ import annotations

import re
import tarfile
from typing import TYPE_CHECKING

from localcluster import images
from localcluster.binaries import KUBERNETES
from localcluster.restricted import rootfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from localcluster.commands import Commands

COREDNS = "coredns"
KUBE_PROXY = "kube-proxy"

_PROXY_PACKAGES = ("iptables",)
_SANDBOX = re.compile(r'sandbox_image = "([^"]+)"')
_IPTABLES = tuple(f"{family}{act}" for family in ("iptables", "ip6tables") for act in ("", "-save"))
_LINKS = (*_IPTABLES, "iptables-restore", "ip6tables-restore")


def wanted(said: str, containerd_config: str) -> list[str]:
    """Give the names of the images a cluster needs.

    Args:
        said: what `kubeadm config images list` printed.
        containerd_config: names one more, for sandboxes.
    """
    names = [line for line in said.split() if program(line) != COREDNS]
    return sorted({*names, *_SANDBOX.findall(containerd_config)})


def program(image: str) -> str:
    """Give the program an image is for: `etcd` of `registry.k8s.io/etcd:3.6.8-0`."""
    return image.rpartition("/")[2].partition(":")[0]


def list_images(binaries: Mapping[str, Path], tree: Path, run: Commands) -> list[str]:
    """Give the names of the images that the nodes of this root file system need."""
    said = run(
        *(str(binaries["kubeadm"]), "config", "images", "list"),
        *("--kubernetes-version", f"v{KUBERNETES}"),
    )
    return wanted(said, (tree / "etc/containerd/config.toml").read_text())


def import_images(
    names: Iterable[str], binaries: Mapping[str, Path], tree: Path, docker: Commands
) -> None:
    """Make these images and import them.

    Args:
        names: as `list_images` gives them.
        binaries: their programs.
        tree: an unpacked root file system that holds what kube-proxy calls.
        docker: runs the engine's client.

    Raises:
        CommandError: the engine refused one.
    """
    for name in names:
        import_image(name, binaries[program(name)], tree, docker)


def import_image(name: str, binary: Path, tree: Path, docker: Commands) -> None:
    """Make one image with one program and import it; raises CommandError."""

    def add_what_it_calls(tar: tarfile.TarFile) -> None:
        _add_packages(tar, tree, docker)

    more = add_what_it_calls if program(name) == KUBE_PROXY else None
    images.import_program(name, binary, docker, more=more)


def _add_packages(tar: tarfile.TarFile, tree: Path, run: Commands) -> None:
    """Add what kube-proxy calls, with all it depends on, as it is installed in the tree."""
    inside = ("chroot", str(tree), "dpkg-query")
    status = run(*inside, "-W", "-f", "${Package}\\t${Depends}\\n")
    packages = rootfs.with_dependencies(_PROXY_PACKAGES, status)
    for link in ("bin", "sbin", "lib", "lib64"):
        tar.add(tree / link, link)
    names = run(*inside, "-L", *packages).split("\n")
    for path in sorted({path for name in names if (path := _real(tree, name))}):
        tar.add(path, str(path.relative_to(tree)), recursive=False)
    for link in _LINKS:
        # Debian's alternatives, which belong to no package.
        entry = tarfile.TarInfo(f"usr/sbin/{link}")
        entry.type, entry.linkname = tarfile.SYMTYPE, "xtables-nft-multi"
        tar.addfile(entry)


def _real(tree: Path, name: str) -> Path | None:
    """Give where a packaged file really lies: packages still say /lib and /bin for /usr."""
    first, _, rest = name.strip("/").partition("/")
    if not rest or rest.startswith(("share/doc", "share/man", "share/locale")):
        return None
    moved = tree / "usr" / first / rest if (tree / first).is_symlink() else tree / first / rest
    return moved if moved.is_symlink() or moved.exists() else None

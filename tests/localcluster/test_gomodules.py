"""The committed go.mod and go.sum files agree with what the code says is built."""

from __future__ import annotations

import re

import pytest

from localcluster import binaries
from localcluster.kind import programs as kind
from localcluster.restricted import programs as nodes

OURS = ("pause", "instance")
"""Programs whose sources stand here, and which take nothing but the standard library."""
COMPOSED = ("coredns",)
"""Programs that are put together here from the packages of a module."""
BUILT = (*binaries.BINARIES, *nodes.NODE, kind.BINARY, kind.INSTANCE, kind.METRICS, kind.DNS)
FETCHED = [binary for binary in BUILT if binary.module not in (*OURS, *COMPOSED)]
MODULES = sorted({binary.module for binary in BUILT} - set(OURS))
ROOTS = {
    "containerd": f"github.com/containerd/containerd/v2 v{nodes.CONTAINERD}",
    "coredns": f"github.com/coredns/coredns v{kind.DNS_VERSION}",
    "metrics-server": f"sigs.k8s.io/metrics-server v{kind.METRICS_VERSION}",
    "kind": f"sigs.k8s.io/kind v{kind.KIND}",
    "kubernetes": f"k8s.io/kubernetes v{binaries.KUBERNETES}",
    "etcd": f"go.etcd.io/etcd/server/v3 v{binaries.ETCD}",
    "kwok": f"sigs.k8s.io/kwok v{binaries.KWOK}",
}


def text(module: str, name: str) -> str:
    return (binaries.gomodules() / module / name).read_text()


def required(module: str) -> set[tuple[str, str]]:
    """Give the required modules with their versions, replacements applied."""
    found = dict(re.findall(r"^\s+(\S+) (v\S+)", text(module, "go.mod"), re.MULTILINE))
    replaced = re.findall(r"^replace (\S+) => (\S+) (v\S+)", text(module, "go.mod"), re.MULTILINE)
    for old, new, version in replaced:
        if found.pop(old, None):
            found[new] = version
    return set(found.items())


@pytest.mark.parametrize("module", MODULES)
def test_the_pinned_version_is_the_one_the_code_names(module: str) -> None:
    assert ROOTS[module] in text(module, "go.mod")


@pytest.mark.parametrize("binary", FETCHED, ids=lambda binary: binary.name)
def test_what_is_built_is_a_tool_of_its_module(binary: binaries.Binary) -> None:
    tools = re.findall(r"^(?:tool |\t)(\S+)$", text(binary.module, "go.mod"), re.MULTILINE)
    assert binary.package in tools


@pytest.mark.parametrize("module", MODULES)
def test_go_sum_vouches_for_every_required_module(module: str) -> None:
    sums = {tuple(line.split()[:2]) for line in text(module, "go.sum").splitlines()}
    # Those only other systems need are known by their go.mod alone.
    known = sums | {(path, version.removesuffix("/go.mod")) for path, version in sums}
    assert required(module) <= known


@pytest.mark.parametrize("module", MODULES)
def test_every_sum_is_a_module_a_version_and_a_hash(module: str) -> None:
    for line in text(module, "go.sum").splitlines():
        assert re.fullmatch(r"\S+ v\S+ h1:[A-Za-z0-9+/]{43}=", line), line


@pytest.mark.parametrize("module", MODULES)
def test_go_of_the_version_we_ask_for_is_enough(module: str) -> None:
    directive = re.search(r"^go (\d+)\.(\d+)", text(module, "go.mod"), re.MULTILINE)
    assert directive is not None
    assert (int(directive[1]), int(directive[2])) <= binaries.GO_MINIMUM


def test_every_part_of_kubernetes_is_of_the_same_release() -> None:
    minor, patch = binaries.KUBERNETES.split(".")[1:]
    replaced = re.findall(r"^replace \S+ => \S+ (v\S+)", text("kubernetes", "go.mod"), re.MULTILINE)
    assert set(replaced) == {f"v0.{minor}.{patch}"}


@pytest.mark.parametrize("module", COMPOSED)
def test_what_is_put_together_here_takes_its_parts_from_the_pinned_module(module: str) -> None:
    taken = re.findall(r'^\t(?:_ )?"(.+)"$', text(module, "main.go"), re.MULTILINE)
    pinned = ROOTS[module].split()[0]
    assert taken
    assert all(package.startswith(f"{pinned}/") for package in taken)


@pytest.mark.parametrize("module", OURS)
def test_our_own_programs_take_nothing_but_the_standard_library(module: str) -> None:
    assert set(binaries.sources(module)) == {"go.mod", "main.go"}
    assert "require" not in text(module, "go.mod")

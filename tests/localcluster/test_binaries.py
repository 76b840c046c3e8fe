"""Which found binaries are used. Fakes that tell a version stand in for the real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcluster import binaries

if TYPE_CHECKING:
    from pathlib import Path

TOLD = {
    "kube-apiserver": "Kubernetes v1.36.1",
    "kube-controller-manager": "Kubernetes v1.36.1",
    "kube-scheduler": "Kubernetes v1.36.1",
    "kubectl": "Client Version: v1.36.1\nKustomize Version: v5.8.1",
    "etcd": "etcd Version: 3.6.8\nGit SHA: 1234567",
    "kwok": "kwok version v0.8.0 go1.26.8 (linux/amd64)",
}


def install(folder: Path, told: dict[str, str]) -> Path:
    """Put a script for each name into the folder; it prints what it is told to."""
    folder.mkdir(exist_ok=True)
    for name, text in told.items():
        script = folder / name
        script.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        script.chmod(0o755)
    return folder


def environment(
    tmp_path: Path,
    *,
    assets: Path | None = None,
    path: Path | None = None,
) -> dict[str, str]:
    """Give an environment with nothing in it but these."""
    found = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PATH": f"{path}:/bin" if path else "/bin"}
    return found | ({"KUBEBUILDER_ASSETS": str(assets)} if assets else {})


def test_a_complete_set_on_path_is_used_as_it_is(tmp_path: Path) -> None:
    path = install(tmp_path / "path", TOLD)
    found = binaries.find(environment(tmp_path, path=path))
    assert found == {name: path / name for name in TOLD}
    assert binaries.missing(found) == ()


def test_the_assets_folder_comes_before_path(tmp_path: Path) -> None:
    assets = install(tmp_path / "assets", {"etcd": TOLD["etcd"]})
    path = install(tmp_path / "path", TOLD)
    found = binaries.find(environment(tmp_path, assets=assets, path=path))
    assert found["etcd"] == assets / "etcd"
    assert found["kwok"] == path / "kwok"


def test_an_unfit_one_in_the_assets_folder_does_not_hide_a_fit_one_on_path(tmp_path: Path) -> None:
    assets = install(tmp_path / "assets", {"etcd": "etcd Version: 3.4.9"})
    path = install(tmp_path / "path", TOLD)
    found = binaries.find(environment(tmp_path, assets=assets, path=path))
    assert found["etcd"] == path / "etcd"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("kube-apiserver", "Kubernetes v1.33.9"),
        ("kubectl", "Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0"),
        ("kubectl", "Client Version: v1.34.0"),
        ("etcd", "etcd Version: 3.4.9"),
        ("etcd", "etcd Version: 4.0.0"),
        ("kwok", "kwok version v0.7.0 go1.24.0 (linux/amd64)"),
        ("kwok", "command not understood"),
    ],
)
def test_a_version_out_of_bounds_is_not_used(tmp_path: Path, name: str, told: str) -> None:
    path = install(tmp_path / "path", TOLD | {name: told})
    assert name not in binaries.find(environment(tmp_path, path=path))


def test_one_that_cannot_be_run_is_not_used(tmp_path: Path) -> None:
    path = install(tmp_path / "path", TOLD)
    (path / "etcd").write_text("#!/nowhere/at/all\n")
    assert "etcd" not in binaries.find(environment(tmp_path, path=path))


def test_servers_of_one_older_minor_version_are_used_together(tmp_path: Path) -> None:
    older = dict.fromkeys(binaries.SERVERS, "Kubernetes v1.35.2")
    path = install(tmp_path / "path", TOLD | older)
    found = binaries.find(environment(tmp_path, path=path))
    assert set(binaries.SERVERS) <= set(found)


def test_servers_of_different_minor_versions_are_all_built_instead(tmp_path: Path) -> None:
    path = install(tmp_path / "path", TOLD | {"kube-apiserver": "Kubernetes v1.35.2"})
    found = binaries.find(environment(tmp_path, path=path))
    assert not set(binaries.SERVERS) & set(found)


def test_an_older_server_alone_is_not_mixed_with_those_we_build(tmp_path: Path) -> None:
    assets = install(tmp_path / "assets", {"kube-apiserver": "Kubernetes v1.35.2"})
    assert "kube-apiserver" not in binaries.find(environment(tmp_path, assets=assets))


def test_a_server_of_our_own_minor_version_is_used_beside_those_we_build(tmp_path: Path) -> None:
    assets = install(tmp_path / "assets", {"kube-apiserver": TOLD["kube-apiserver"]})
    found = binaries.find(environment(tmp_path, assets=assets))
    assert found["kube-apiserver"] == assets / "kube-apiserver"


def test_the_cache_serves_what_is_not_found_elsewhere(tmp_path: Path) -> None:
    bare = environment(tmp_path)
    cache = binaries.cache_folder(bare)
    cache.parent.mkdir(parents=True)
    install(cache, {"kwok": "never asked"})
    assert binaries.find(bare) == {"kwok": cache / "kwok"}


def test_the_cache_folder_is_named_after_every_pinned_version(tmp_path: Path) -> None:
    folder = binaries.cache_folder(environment(tmp_path))
    assert folder.is_relative_to(tmp_path / "cache" / "scaleset-operator" / "controlplane")
    for version in (binaries.KUBERNETES, binaries.ETCD, binaries.KWOK):
        assert version in folder.parent.name

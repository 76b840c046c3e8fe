"""The chart by Helm itself: installed, upgraded, removed, and installed again.

On a control plane of its own, for the chart brings the definitions; nothing runs in the pods.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.cluster import KubectlError, LocalCluster
from tests.integration.charts import CHART, NAMESPACE, RELEASE, ChartError, Helm
from tests.integration.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]

VANTAGE: Final = "scaleset-operator-vantage"
KEEPING: Final = ((), ("--reuse-values",), ("--reset-values",))
"""What people give `helm upgrade` about the values of before."""
SET: Final[Json] = {
    "apiVersion": "scaleset.dev/v1alpha1",
    "kind": "ScaleSet",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1"}]},
        },
    },
}
OURS: Final = (
    "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,deployments,roles,"
    "rolebindings,services,serviceaccounts,poddisruptionbudgets,networkpolicies,secrets"
)

pytestmark = pytest.mark.timeout(1_200)  # Helm may have to be built first.


class Release:
    """The chart on a cluster that knew nothing of it, as docs/installing.md says it is used."""

    def __init__(self, cluster: LocalCluster, home: Path) -> None:
        self.kubectl = cluster.kubectl
        self._helm = Helm(cluster.kubeconfig, home)

    def install(self, name: str = RELEASE) -> None:
        self._helm("install", name, str(CHART), "--create-namespace", values={})

    def upgrade(self, *options: str, **values: Any) -> None:
        self._helm("upgrade", RELEASE, str(CHART), *options, values=values)

    def uninstall(self) -> None:
        self._helm("uninstall", RELEASE, "--wait")

    def clear(self) -> None:
        """Delete the release where it stands, what it kept, and its namespace."""
        self._helm("uninstall", RELEASE, "--wait", "--ignore-not-found")
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        kept = [n for n in self.kubectl("get", "crds", "-o", "name").split() if "scaleset" in n]
        if kept:
            self.kubectl("delete", *kept)

    def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Json:
        found: Json = json.loads(self.kubectl("-n", namespace, "get", kind, name, "-o", "json"))
        return found

    def make_set(self) -> str:
        """A ScaleSet, without instances; gives its UID."""
        eventually(self._is_made, "the API server serves our kinds")
        return self.set_uid()

    def _is_made(self) -> bool:
        with suppress(KubectlError):
            self.kubectl("apply", "-f", "-", input=json.dumps(SET))
            return True
        return False

    def set_uid(self) -> str:
        uid: str = self.get("scaleset", "web", "default")["metadata"]["uid"]
        return uid

    def left(self) -> set[str]:
        """The kinds of what bears our name."""
        items = json.loads(self.kubectl("get", OURS, "--all-namespaces", "-o", "json"))["items"]
        named = ("scaleset-operator", "scaleset-system", "scaleset-view", "scaleset-edit")
        return {
            one["kind"]
            for one in items
            if one["metadata"]["name"].startswith(named)
            or one["metadata"]["name"].endswith(".scaleset.dev")
        }


@pytest.fixture(scope="module")
def bare() -> Iterator[LocalCluster]:
    """A cluster without our kinds."""
    with LocalCluster(nodes=1, name="helm") as cluster:
        yield cluster


@pytest.fixture
def release(bare: LocalCluster, tmp_path: Path) -> Iterator[Release]:
    """The chart, installed with the values that it comes with; all of it goes at the end."""
    made = Release(bare, tmp_path)
    made.install()
    yield made
    made.clear()


def test_an_upgrade_keeps_what_the_replicas_share(release: Release) -> None:
    """Votes would stop until both pods have another one, and with each upgrade anew (rule 15)."""
    before = release.get("secret", VANTAGE)
    for options in KEEPING:
        note = {"example.org/note": f"upgraded with {options}"}
        release.upgrade(*options, podAnnotations=note)
        pods = release.get("deployment", RELEASE)["spec"]["template"]
        assert pods["metadata"]["annotations"] == note, "there was an upgrade"
        after = release.get("secret", VANTAGE)
        assert after["data"] == before["data"]
        assert after["metadata"]["uid"] == before["metadata"]["uid"]


def test_definitions_and_sets_outlive_the_release_and_the_next_one_takes_them_over(
    release: Release,
) -> None:
    """`crds.keep`, as it comes: only they and the namespace stay."""
    uid = release.make_set()
    release.uninstall()
    assert release.left() == {"CustomResourceDefinition", "Namespace"}
    assert release.set_uid() == uid
    with pytest.raises(ChartError, match="cannot be imported into the current release"):
        release.install("another")
    release.install()
    assert release.set_uid() == uid
    assert "Deployment" in release.left()


def test_definitions_that_are_not_kept_go_with_the_release_and_every_set_with_them(
    release: Release,
) -> None:
    """`crds.keep: false`, told by an upgrade: nothing is left but the namespace."""
    release.make_set()
    release.upgrade("--reuse-values", crds={"keep": False})
    release.uninstall()
    eventually(lambda: release.left() == {"Namespace"}, "all is gone", told=release.left)

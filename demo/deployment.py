"""The operator in a kind cluster, as people install it: its image, the overlay, its replicas.

Must not know: what the operator is to do there.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from localcluster import images
from localcluster.commands import CommandError
from localcluster.kind import config, loading
from localcluster.kind.cluster import KindCluster

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

ROOT: Final = Path(__file__).resolve().parents[1]
NAMESPACE: Final = "scaleset-system"
ROOM: Final[Json] = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
NAME: Final = "scaleset-operator"
IMAGE: Final = f"{NAME}:kind"
START_S: Final = 90.0
_TAIL_LINES: Final = 15
_FOLDER: Final = "/var/lib/scaleset-operator"
_NAMED: Final = f"metadata.name={NAME},metadata.namespace={NAMESPACE}"


def build_image(cluster: KindCluster) -> str:
    """Build the operator's image from this tree, bring it into every node, and give its name."""
    base = loading.python_base(cluster)
    cluster.docker(loading.up(cluster)).watched(
        "the operator's image",
        60,
        *("docker", "build", "--network", "host", "--build-arg", f"BASE_IMAGE={base}"),
        *("--tag", IMAGE, str(ROOT)),
    )
    loading.load(cluster, IMAGE)
    return IMAGE


class Deployment:
    """The operator, installed in one way or the other."""

    def __init__(self, cluster: KindCluster) -> None:
        self._cluster = cluster
        self._known = loading.up(cluster)
        self._run = cluster.docker(self._known)

    def install_by_kustomize(self, image: str) -> None:
        """Apply the overlay for the whole cluster with this image; replicas there begin anew."""
        stood = self.is_installed()
        self.apply(ROOM)
        self.apply(_vantage())
        self.apply_overlay(image)
        if stood:  # The image may be another under the same name.
            self.kubectl("-n", NAMESPACE, "rollout", "restart", f"deployment/{NAME}")
        self.await_ready()

    def apply_overlay(self, image: str, *components: str, patches: Sequence[Json] = ()) -> None:
        """Apply that overlay with these components of manifests/, and no more.

        Args:
            image: of operator and agent.
            components: by name.
            patches: what is changed, as kustomize takes it.
        """
        inside = ("docker", "exec", "--interactive", config.nodes()[0])
        self._run(*inside, "mkdir", "-p", f"{_FOLDER}/here")
        self._run(*inside, "tar", "-x", "-C", _FOLDER, stdin=_packed(image, components, patches))
        self.kubectl("apply", "--server-side", "-k", f"{_FOLDER}/here")

    def remove(self) -> None:
        """Delete all that either way installs, and wait until the namespace is gone."""
        for kind in ("clusterrolebinding", "clusterrole"):
            self.kubectl("delete", kind, "-l", f"app.kubernetes.io/name={NAME}")
        self.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true")
        crds = self.kubectl("get", "crds", "-o", "name").split()
        ours = [name for name in crds if name.endswith(".scaleset.dev")]
        if ours:
            self.kubectl("delete", *ours)

    def await_ready(self) -> None:
        """Wait until both replicas are ready and one leads; raises CommandError in the end."""
        within = ("-n", NAMESPACE, f"--timeout={START_S:.0f}s")
        self.kubectl("rollout", "status", f"deployment/{NAME}", *within)
        self.kubectl("wait", "--for=jsonpath={.spec.holderIdentity}", f"lease/{NAME}", *within)

    def pods(self) -> list[Json]:
        """The replicas that are not Terminating."""
        found = self.kubectl(
            *("-n", NAMESPACE, "get", "pods", "-l", f"app.kubernetes.io/name={NAME}"),
            *("-o", "json"),
        )
        items: list[Json] = json.loads(found)["items"]
        return [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]

    def leader(self) -> str:
        """The name of the pod that holds the lease; empty where none does."""
        return self.holder().partition("_")[0]

    def holder(self) -> str:
        """Who holds the lease: another name for each process. Empty where nobody does."""
        holder: str = self.lease().get("holderIdentity") or ""
        return holder

    def lease(self) -> Json:
        """The spec of the Lease; empty where it cannot be had."""
        try:
            said = self.kubectl("-n", NAMESPACE, "get", "lease", NAME, "-o", "json")
        except CommandError:
            return {}
        spec: Json = json.loads(said)["spec"]
        return spec

    def logs(self, pod: str, *options: str) -> str:
        """What a replica has logged."""
        return self.kubectl("-n", NAMESPACE, "logs", pod, *options)

    def story(self) -> str:
        """Its pods, and what each said last, in this life and in the one before."""
        told = [self.kubectl("-n", NAMESPACE, "get", "pods", "--output=wide")]
        for pod in self.pods():
            for life in ("--previous=false", "--previous"):
                with contextlib.suppress(CommandError):  # It has one life, or its node is gone.
                    of = (pod["metadata"]["name"], life, f"--tail={_TAIL_LINES}")
                    told += [" ".join(of), self.kubectl("-n", NAMESPACE, "logs", *of)]
        return "\n".join(told)

    def kubectl(self, *arguments: str, sent: str = "") -> str:
        """Run kubectl as an administrator."""
        return self._cluster.kubectl(self._known, *arguments, sent=sent)

    def is_installed(self) -> bool:
        """Whether it stands in the cluster already."""
        said = self.kubectl("get", "deployments", "-A", "-o", "name", "--field-selector", _NAMED)
        return bool(said.strip())

    def on_node(self, node: str, *argv: str) -> str:
        """Run a program on a node."""
        return self._run("docker", "exec", node, *argv)

    def apply(self, wanted: Json) -> None:
        """Apply an object, or a List of them."""
        self.kubectl("apply", "--server-side", "-f", "-", sent=json.dumps(wanted))


def main() -> int:
    """Build the image and install it in the cluster that is up; gives the exit status."""
    cluster = KindCluster()
    try:
        deployment = Deployment(cluster)
        deployment.install_by_kustomize(build_image(cluster))
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the operator is installed in {NAMESPACE}; {deployment.leader()} leads")
    return 0


def _vantage() -> Json:
    """What the replicas share for their votes; kustomize cannot make one up."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{NAME}-vantage", "namespace": NAMESPACE},
        "stringData": {"secret": secrets.token_hex(32)},
    }


def _packed(image: str, components: Sequence[str], patches: Sequence[Json]) -> bytes:
    """The manifests, and beside them an overlay with these parts of it: a tar archive."""
    name, _, tag = image.partition(":")
    overlay = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": ["../manifests/overlays/cluster-wide"],
        "components": [f"../manifests/components/{name}" for name in components],
        "images": [{"name": NAME, "newName": name, "newTag": tag}],
        "patches": [*patches],
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for folder in ("crds", "manifests"):
            tar.add(ROOT / folder, folder)
        images.add_file(tar, "here/kustomization.yaml", json.dumps(overlay).encode())
    return packed.getvalue()


if __name__ == "__main__":
    sys.exit(main())

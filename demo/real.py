"""The demo with real nodes and pods: a kind cluster, and the operator in it from its own image.

A cluster that is up is used and left up, and so is an operator in it; what is brought here goes at
the end. Must not know: what is played.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from demo import parts
from demo.deployment import NAME, NAMESPACE, Deployment, build_image
from demo.endpoints import HANGING, OPEN, BadScriptError
from demo.failure import DemoError
from demo.venue import Venue
from localcluster.commands import CommandError
from localcluster.kind import config, loading
from localcluster.kind.access import access, withdraw
from localcluster.kind.cluster import KindCluster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.books import Life
    from demo.screen import Screen
    from localcluster.kind.access import Access

ACCOUNT: Final = "scaleset-demo"
PORT: Final = 8080
PATIENCE: Final = 3.0
SMALL: Final = {"requests": {"cpu": "5m", "memory": "8Mi"}}
AT_ONCE: Final = 8
_TOLD_WITHIN_S: Final = 10.0
_TAIL_LINES: Final = 15
_LOGS: Final = ("-n", NAMESPACE, "logs", f"deployment/{NAME}")


@contextlib.contextmanager
def venue(screen: Screen) -> Iterator[Venue]:
    """Start everything that is not there, saying what; it ends with the block."""
    with contextlib.ExitStack() as closing:
        screen.headline("Find a kind cluster of three nodes, or make one")
        cluster = _cluster(screen, closing)
        screen.headline("Build the operator's image, and install it")
        operator = _operator(screen, cluster, closing)
        image = loading.load_instance(cluster)
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="scaleset-demo-")))
        way = access(cluster, ACCOUNT, folder)
        closing.callback(withdraw, cluster, ACCOUNT)
        reached = Reached(cluster, way)
        _clear(reached)
        closing.callback(_clear, reached)
        yield Venue(
            cluster=reached,
            operator=operator,
            endpoints=closing.enter_context(Instances(way)),
            sample=_fitted(image),
            fitted=f"with {image}, a small server that can be told how to answer",
            command="make demo CLUSTER=kind",
            entrance=_entrance(cluster),
            patience=PATIENCE,
        )


class Reached:
    """The cluster, as its administrator reaches it."""

    def __init__(self, cluster: KindCluster, way: Access) -> None:
        self.server, self.token, self.ca_file = way.server, way.token, way.ca_file
        self._cluster = cluster
        self._known = loading.up(cluster)

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        """Run the kubectl of a node; raises CommandError."""
        return self._cluster.kubectl(self._known, *arguments, sent=input or "")


class Installed:
    """The operator's deployment: kubelet starts again what ends there."""

    reading: Final = f"kubectl {' '.join(_LOGS)}"

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def must_run(self) -> None:
        """Nothing ends by itself here that does not come again."""

    def tail(self) -> str:
        """The last lines of one replica's log."""
        return self._deployment.kubectl(*_LOGS, f"--tail={_TAIL_LINES}")


class Instances:
    """The test instances, told by way of the API server's proxy: no pod need be reached from here.

    A new pod answers as it should by itself, and what a pod was told ends with it.
    """

    port = PORT
    faults = (
        *[("answers 500", "status:500")] * 3,
        ("hangs", HANGING),
        ("answers after 30 s", "delay:30s"),
    )
    scripts = "status:404, hang, delay:30s, ok"

    def __init__(self, way: Access) -> None:
        self._host = urlsplit(way.server)
        self._headers = {"Authorization": f"Bearer {way.token}"}
        self._trust = ssl.create_default_context(cafile=str(way.ca_file))
        self._pool = ThreadPoolExecutor(AT_ONCE)

    def __enter__(self) -> Self:
        """Ready at once."""
        return self

    def __exit__(self, *_: object) -> None:
        """Tell nobody anything more."""
        self._pool.shutdown(cancel_futures=True)

    def follow(self, life: Life) -> None:
        """Nothing to do: see the class."""

    def tell(self, lives: Iterable[Life], script: str) -> None:
        """See the protocol."""
        wanted = json.dumps(_behaviour(script))
        list(self._pool.map(lambda life: self._put(life.name, wanted), lives))

    def _put(self, name: str, wanted: str) -> None:
        path = f"/api/v1/namespaces/default/pods/{name}:{PORT}/proxy/_control"
        line = http.client.HTTPSConnection(
            str(self._host.hostname), self._host.port, context=self._trust, timeout=_TOLD_WITHIN_S
        )
        with contextlib.closing(line):
            line.request("PUT", path, body=wanted, headers=self._headers)
            answer = line.getresponse()
            said = answer.read().decode(errors="replace").strip()
        if answer.status != http.client.OK:
            message = f"{name} could not be told {wanted}: {answer.status} {said}"
            raise DemoError(message)


def _cluster(screen: Screen, closing: contextlib.ExitStack) -> KindCluster:
    cluster = KindCluster()
    if cluster.state() is None:
        why = cluster.why_not()
        if why:
            message = f"there can be no kind cluster here: {why}"
            raise DemoError(message)
        cluster.up()
        closing.callback(cluster.down)
        screen.line("three nodes are up; they go again at the end")
    else:
        screen.line("one is up, and stays up")
    return cluster


def _operator(screen: Screen, cluster: KindCluster, closing: contextlib.ExitStack) -> Installed:
    deployment = Deployment(cluster)
    if deployment.is_installed():
        screen.line("it is installed, and stays so")
        return Installed(deployment)
    image = build_image(cluster)
    closing.callback(deployment.remove)
    deployment.install_by_kustomize(image)
    for pod in deployment.pods():
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        screen.line(f"{name} runs {image} on {node}")
    screen.line(f"{deployment.leader()} leads")
    return Installed(deployment)


def _fitted(image: str) -> list[dict[str, Any]]:
    probe, scale_set = parts.sample()
    (container,) = scale_set["spec"]["template"]["spec"]["containers"]
    container |= {"image": image, "resources": SMALL}
    return [probe, scale_set]


def _behaviour(script: str) -> dict[str, Any]:
    what, _, value = script.partition(":")
    if script == OPEN:
        return {}
    if script == HANGING:
        return {"hang": True}
    if what == "delay" and value:
        return {"delay": value}
    if what == "status" and value.isdecimal():
        return {"status": int(value)}
    message = f"{script!r} is none of {Instances.scripts}"
    raise BadScriptError(message)


def _clear(cluster: Reached) -> None:
    """Delete what the demo makes, and wait until it is gone."""
    gone = ("-n", "default", "--ignore-not-found", "--timeout=60s")
    with contextlib.suppress(CommandError):  # Before the first time the kinds are unknown.
        cluster.kubectl("delete", "scaleset/demo", "healthprobe/demo-http", *gone)
        cluster.kubectl("delete", "pods", "-l", "app=demo", *gone)


def _entrance(cluster: KindCluster) -> tuple[str, ...]:
    inside = f"docker exec -i {config.nodes()[0]} kubectl --kubeconfig=/etc/kubernetes/admin.conf"
    engine = loading.up(cluster).docker_host
    return (*((f"export DOCKER_HOST={engine}",) if engine else ()), f'alias kubectl="{inside}"')

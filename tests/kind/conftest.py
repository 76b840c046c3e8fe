"""The kind cluster of a session, and the word where there can be none.

A cluster that is up is used and left up; one that the session makes goes with it. Where containers
cannot run, the tests are counted as not run, and why is told in one line.
Must not know: the operator.
"""

from __future__ import annotations

import json
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from demo.deployment import build_image
from localcluster.binaries import MissingToolsError
from localcluster.build import BuildError
from localcluster.commands import CommandError
from localcluster.kind import loading, possible
from localcluster.kind.access import Access, access, withdraw
from localcluster.kind.cluster import KindCluster
from localcluster.kind.machine import ImpossibleError
from localcluster.restricted.engine import EngineError
from tests.integration.alongside import told
from tests.kind.agents import Agents
from tests.kind.deployment import Deployment
from tests.kind.fleet import start as start_fleet
from tests.kind.images import NAMES
from tests.kind.pods import Namespace
from tests.kind.world import KindWorld
from tests.support.kube_api import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.integration.alongside import Stories

ACCOUNT: Final = "scaleset-tests"
LAST: Final = "test_rights_used"
"""The module that looks at what all others had the operator do."""
CLEARED_S: Final = 180.0
"""Within so long kubelets have ended a test's pods, on a machine with much else to do."""
STORIES_AT_ONCE: Final = 5
NOT_RUN: Final = pytest.StashKey[tuple[int, str]]()
BEGAN: Final = pytest.StashKey[datetime]()
MADE_HERE: Final = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)  # Once it is known which tests are wanted.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Starts the cluster that they need, or sets them aside."""
    ours = [item for item in items if item.get_closest_marker("kind")]
    if not ours or config.option.collectonly:
        return
    why = start(config)
    if why:
        config.stash[NOT_RUN] = (len(ours), why)
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]
    items.sort(key=lambda item: LAST in item.nodeid)


def start(config: pytest.Config) -> str | None:
    """Starts the cluster where none is up; gives why there can be none here, in one line."""
    cluster = KindCluster()
    why = cluster.why_not()
    if why:
        return why
    config.stash[MADE_HERE] = cluster.state() is None
    config.stash[BEGAN] = datetime.now(UTC)
    try:
        cluster.up()
    except EngineError as error:
        return possible.one_line(error)
    except (ImpossibleError, MissingToolsError, BuildError, CommandError) as error:
        raise pytest.UsageError(str(error)) from error
    return None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Removes the cluster that the session made; a run without any test left is no fault of it."""
    if session.config.stash.get(MADE_HERE, False):
        KindCluster().down()
    if NOT_RUN in session.config.stash and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says what was not run, and why."""
    count, why = config.stash.get(NOT_RUN, (0, ""))
    if count:
        terminalreporter.write_line(
            f"not run, for no kind cluster can be had here: {count}; {why}", yellow=True
        )


@pytest.fixture(scope="session")
def cluster() -> KindCluster:
    """The cluster, which is up."""
    return KindCluster()


@pytest.fixture(scope="session")
def session_began(request: pytest.FixtureRequest) -> datetime:
    """When the session's first test began."""
    return request.config.stash[BEGAN]


@pytest.fixture(scope="session")
def instance(cluster: KindCluster) -> str:
    """The name of the test instance's image, which every node has."""
    return loading.load_instance(cluster)


@pytest.fixture(scope="session")
def administrator(
    cluster: KindCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Access]:
    """Every right on the cluster, for the session."""
    yield access(cluster, ACCOUNT, tmp_path_factory.mktemp("kind"))
    withdraw(cluster, ACCOUNT)


@pytest.fixture(scope="session")
def image(cluster: KindCluster) -> str:
    """The operator's image, built from this tree, which every node has."""
    return build_image(cluster)


@pytest.fixture(scope="session")
def deployment(cluster: KindCluster, image: str) -> Iterator[Deployment]:
    """The operator, installed by kustomize, two replicas; goes with the session that brought it."""
    made = Deployment(cluster)
    stays = made.is_installed()
    made.install_by_kustomize(image)
    yield made
    if not stays:
        made.remove()


@pytest.fixture(scope="module")
def agents(deployment: Deployment, image: str) -> Iterator[Agents]:
    """The node agents, for the tests of one file."""
    made = Agents(deployment, image)
    made.install()
    yield made
    made.remove()


@pytest.fixture
def world(new_world: Callable[[], AbstractContextManager[KindWorld]]) -> Iterator[KindWorld]:
    """A namespace of the test's own, served by the operator, with a HealthProbe in it."""
    with new_world() as made:
        yield made


@pytest.fixture(scope="module")
def fleet(new_world: Callable[[], AbstractContextManager[KindWorld]]) -> Iterator[KindWorld]:
    """A world with a set of 24 real instances in it that is repaired; each test leaves it whole."""
    with new_world() as made:
        start_fleet(made)
        yield made


@pytest.fixture(scope="module")
def stories(
    request: pytest.FixtureRequest,
    new_world: Callable[[], AbstractContextManager[KindWorld]],
    names: None,  # noqa: ARG001 - stories of restarts ask for images under them
) -> Iterator[Stories]:
    """Every story of the session, begun."""
    yield from told(request, lambda: new_world, STORIES_AT_ONCE)


@pytest.fixture(scope="session")
def names(cluster: KindCluster, instance: str) -> None:
    """The test instance under two more names: of Docker Hub, and of a registry that is none."""
    for name in NAMES:
        loading.name(cluster, instance, name)


@pytest.fixture(scope="session")
def new_world(
    cluster: KindCluster, deployment: Deployment, administrator: Access, instance: str
) -> Callable[[], AbstractContextManager[KindWorld]]:
    """Makes a namespace that is served by the operator, with a HealthProbe in it."""

    @contextmanager
    def made() -> Iterator[KindWorld]:
        # Whatever a test before did to them: a kubelet waits before it starts one again.
        deployment.await_ready()
        with (
            new_namespace(cluster) as room,
            Api(administrator.server, administrator.token, administrator.ca_file) as api,
        ):
            world = KindWorld(api, room, instance)
            world.probe()
            yield world
            world.clear(CLEARED_S)

    return made


@pytest.fixture
def namespace(cluster: KindCluster) -> Iterator[Namespace]:
    """A namespace of the test's own."""
    with new_namespace(cluster) as made:
        yield made


@contextmanager
def new_namespace(cluster: KindCluster) -> Iterator[Namespace]:
    """Inside, there is one more namespace."""
    name = f"kind-{uuid.uuid4().hex[:6]}"
    known = cluster.state()
    assert known is not None
    room = Namespace(cluster, known, name)
    room.kubectl("create", "-f", "-", sent=json.dumps(room.definition()))
    room.await_account()
    yield room
    room.kubectl("delete", "namespace", name, "--wait=false")

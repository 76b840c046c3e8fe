"""What every test is given by its folder: marks, time-out, and whether it runs at all.

A bare `pytest` needs no cluster: tests marked `cluster` or `kind` are left out unless the option of
that name is given, and the summary says how many and how to run them.
Must not know: any single test, or the operator.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.errors import InvalidArgument

from localcluster.fixture import control_plane
from tests.support import frost, namespaces, queueing
from tests.support.definitions import define_kinds

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcluster.cluster import LocalCluster

__all__ = ["control_plane"]

TESTS: Final = Path(__file__).parent

CLUSTER_FOLDERS: Final = frozenset({"integration", "chaos"})
"""Every test under these folders of `tests/` needs the local control plane."""

COMPUTING_FOLDERS: Final = frozenset(
    {"api", "core", "model", "reconciler", "rehearsal", "rigged", "simulation"}
)
"""Every test under these folders computes, and goes by no clock of the machine: it may be slow."""

KIND_FOLDER: Final = "kind"
"""Every test under this folder needs a kind cluster."""

MACHINE_FOLDERS: Final[dict[str, tuple[str, Callable[[pytest.Item], str | None]]]] = {
    "namespaces": ("network namespaces", lambda _: namespaces.why_not()),
    "cgroups": ("such control groups", lambda item: frost.why_not(version_of(item))),
}
"""Every test under these folders makes what is named, and runs wherever that is possible."""

CLUSTER_MARKS: Final = ("cluster", "kind")
"""Tests with one of these run only with the option of the same name."""

NEEDED: Final = {
    "cluster": "the local control plane: {}; run them with `make test-cluster`,"
    " or with --cluster once it is built",
    "kind": "a kind cluster: {}; run them with `make test-kind`",
}

CLUSTER_TIMEOUT_S: Final = 300.0
"""For one test on the control plane, the control plane's own start included."""

FOLDER_TIMEOUT_S: Final = {
    **dict.fromkeys(COMPUTING_FOLDERS, 600.0),
    "localcluster": 120.0,
    "adapters": 120.0,
    "mutation": 120.0,
}
"""For one test under these folders, which compute much or start processes; elsewhere the seconds of
pyproject.toml hold. They tell a test that hangs, on a machine that may be busy with others."""

PROPERTY_TIMEOUT_S: Final = 300.0
"""For one property under the profile `ci`, whose examples are twenty times as many."""

PROPERTY_BUDGET_S: Final = 120.0
"""Under `ci`: once tests have used so much of a processor, the properties left run with as many
examples as under `dev`, so that CI ends in its time. Each of several workers counts for itself. The
summary says how many did."""

DEV_EXAMPLES: Final = 50

# How long an example takes says more about who else is at work on the machine.
settings.register_profile(
    "dev",
    max_examples=DEV_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# The seed is drawn from the test itself: a run fails by its change, and not by chance.
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=1000, derandomize=True, print_blob=True
)
PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE") or (
    "ci" if os.environ.get("CI") == "true" else "dev"
)
settings.load_profile(PROFILE)

LEFT_OUT: Final = pytest.StashKey[dict[str, int]]()
NOT_RUN: Final = pytest.StashKey[dict[str, int]]()
"""Tests that cannot run on this machine, by why, with a place for how many."""
SHORTENED: Final = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def kinds(control_plane: LocalCluster) -> LocalCluster:
    """The session's cluster, with the generated CRDs applied and served."""
    define_kinds(control_plane)
    return control_plane


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--cluster` and `--kind`."""
    parser.addoption(
        "--cluster",
        action="store_true",
        help="also run the tests that need the local control plane",
    )
    parser.addoption(
        "--kind", action="store_true", help="also run the tests that need a kind cluster"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Starts the account of the run."""
    config.stash[LEFT_OUT] = {}
    config.stash[NOT_RUN] = {}
    config.stash[SHORTENED] = 0
    if config.getoption("--cluster"):
        config.pluginmanager.register(queueing.Dealing())
    # Whoever starts us in the background may have SIGINT ignored; what our tests start would
    # inherit that, and Ctrl-C could not be tested.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # Before `-m` is applied.
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marks each test by its folder, then leaves out those for a cluster not asked for."""
    for item in items:
        mark_by_folder(item)
    for mark in CLUSTER_MARKS:
        left_out = [item for item in items if item.get_closest_marker(mark)]
        if left_out and not config.getoption(f"--{mark}"):
            config.stash[LEFT_OUT][mark] = len(left_out)
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker(mark)]
    if not config.option.collectonly:
        set_aside_what_cannot_run(config, items)


def set_aside_what_cannot_run(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Counts as not run what needs more than this machine has."""
    kept: list[pytest.Item] = []
    not_run: list[pytest.Item] = []
    for item in items:
        why = why_not(item)
        (kept if why is None else not_run).append(item)
        if why is not None:
            config.stash[NOT_RUN][why] = config.stash[NOT_RUN].get(why, 0) + 1
    config.hook.pytest_deselected(items=not_run)
    items[:] = kept


def why_not(item: pytest.Item) -> str | None:
    """Why a test cannot run on this machine, in one line; None where it can."""
    for folder in item.path.relative_to(TESTS).parts[:-1]:
        if folder in MACHINE_FOLDERS:
            what, asked = MACHINE_FOLDERS[folder]
            why = asked(item)
            return why and f"no {what} can be had here: {{}}; {why}"
    return None


def version_of(item: pytest.Item) -> str:
    """The version of control groups that a test is run with."""
    version: str = getattr(item, "callspec").params["group"]  # noqa: B009 - of functions alone
    return version


def mark_by_folder(item: pytest.Item) -> None:
    """Adds the marks of its folders, and the time-out, unless the test names its own."""
    folders = item.path.relative_to(TESTS).parts[:-1]
    if CLUSTER_FOLDERS.intersection(folders):
        item.add_marker("cluster")
    if COMPUTING_FOLDERS.intersection(folders):
        item.add_marker("computing")
    if KIND_FOLDER in folders:
        item.add_marker("kind")
    if "chaos" in folders:
        item.add_marker("chaos")
    if item.get_closest_marker("timeout") is None:
        seconds = timeout_of(item, folders)
        if seconds is not None:
            item.add_marker(pytest.mark.timeout(seconds))


def timeout_of(item: pytest.Item, folders: tuple[str, ...]) -> float | None:
    """Gives the seconds for one test, or None where the default of pyproject.toml holds."""
    if any(item.get_closest_marker(mark) for mark in CLUSTER_MARKS):
        return CLUSTER_TIMEOUT_S
    by_folder = next((FOLDER_TIMEOUT_S[name] for name in folders if name in FOLDER_TIMEOUT_S), None)
    if PROFILE == "ci" and is_property(item):
        return max(PROPERTY_TIMEOUT_S, by_folder or 0.0)
    return by_folder


def is_property(item: pytest.Item) -> bool:
    """Whether hypothesis runs it; its own mark comes too late for us."""
    return bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Falls back to fewer examples once the budget of `ci` is spent."""
    if PROFILE != "ci" or not is_property(item):
        return
    if time.process_time() > PROPERTY_BUDGET_S:
        item.config.stash[SHORTENED] += isinstance(item, pytest.Function) and shorten(item.function)


def shorten(test: Callable[..., object]) -> bool:
    """Has a property run with fewer examples; False where it names its own number, or was before.

    A profile that is loaded now would come too late: a property has its settings since it was made.
    """
    try:
        settings(settings.get_profile("ci"), max_examples=DEV_EXAMPLES)(test)
    except InvalidArgument:
        return False
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of a run on several processors hands its account to the one who sums up.

    A run of nothing but what cannot run here is no failure.
    """
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]
        session.config.workeroutput["not_run"] = session.config.stash[NOT_RUN]
        session.config.workeroutput["shortened"] = session.config.stash[SHORTENED]
    if session.config.stash[NOT_RUN] and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes in a worker's account: each leaves out the same, and shortens its own."""
    account: dict[str, Any] = getattr(node, "workeroutput", {})
    stash = node.config.stash
    stash[LEFT_OUT].update(account.get("left_out", {}))
    stash[NOT_RUN].update(account.get("not_run", {}))
    stash[SHORTENED] += account.get("shortened", 0)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says what did not run, or ran with less, and how to run it."""
    shortened = config.stash[SHORTENED]
    for mark, count in config.stash[LEFT_OUT].items():
        terminalreporter.write_line(
            f"left out, for they need {NEEDED[mark].format(count)}", yellow=True
        )
    for why, count in config.stash[NOT_RUN].items():
        terminalreporter.write_line(f"not run, for {why.format(count)}", yellow=True)
    if shortened:
        terminalreporter.write_line(
            f"run with the {DEV_EXAMPLES} examples of `dev`, for {PROPERTY_BUDGET_S:.0f} s "
            f"of a processor had been used before them: {shortened} properties",
            yellow=True,
        )

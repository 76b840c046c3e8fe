"""The options of the agent: from the command line or the environment, and refused with a reason."""

from __future__ import annotations

import argparse
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scaleset_operator.agent.options import (
    ALWAYS_INSIDE,
    AgentOptions,
    add_agent_options,
    from_agent_arguments,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def read(*words: str, **environment: str) -> AgentOptions:
    return _read(words, environment)


def _read(words: tuple[str, ...], environment: Mapping[str, str]) -> AgentOptions:
    parser = argparse.ArgumentParser()
    add_agent_options(parser, environment)
    return from_agent_arguments(parser.parse_args(words))


def test_a_pod_tells_it_all_that_it_must_know() -> None:
    options = read(NODE_NAME="worker", POD_NAMESPACE="scaleset-system")
    assert (options.node, options.namespace) == ("worker", "scaleset-system")
    assert set(ALWAYS_INSIDE) < set(options.inside)
    assert IPv4Network("10.0.0.0/8") in options.inside
    assert (options.port, options.homes, options.uninstall) == (8083, (), False)


def test_the_command_line_wins_over_the_environment() -> None:
    options = read(
        *("--node", "n1", "--inside", "10.244.0.0/16,10.96.0.0/12", "--port", "9"),
        *("--guard-homes", "/a,/b", "--log-level", "DEBUG", "--uninstall", "--stay"),
        NODE_NAME="worker",
        SCALESET_AGENT_PORT="10",
        SCALESET_AGENT_STATE_DIR="/state",
        SCALESET_AGENT_METRICS_ADDRESS="192.0.2.1",
    )
    networks = (IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/12"))
    assert options == AgentOptions(
        node="n1",
        namespace="default",
        inside=(*ALWAYS_INSIDE, *networks),
        state=Path("/state"),
        cgroups=Path("/sys/fs/cgroup"),
        homes=(Path("/a"), Path("/b")),
        address="192.0.2.1",
        port=9,
        log_level="debug",
        uninstall=True,
        stay=True,
    )


def test_without_a_node_it_says_what_is_missing() -> None:
    with pytest.raises(ValueError, match=r"--node is needed.*NODE_NAME"):
        read()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--inside", "10.0.0.1/8"), "argument --inside: '10.0.0.1/8': 10.0.0.1/8 has host bits"),
        (("--inside", "fd00::/8"), "allowed are IPv4 networks such as 10.0.0.0/8"),
        (("--port", "0"), "argument --port: '0' is no port; allowed: 1 to 65535"),
        (("--port", "x"), "'x' is no port"),
        (("--metrics-address", "here"), "'here' is no IP address"),
        (("--log-level", "loud"), "'loud' is no level; allowed: debug, info, warning, error"),
    ],
)
def test_what_cannot_be_used_is_refused_with_what_is_allowed(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read(*words, NODE_NAME="worker")
    assert said in capsys.readouterr().err


def test_a_bad_variable_is_refused_like_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(NODE_NAME="worker", SCALESET_AGENT_PORT="many")
    assert "'many' is no port" in capsys.readouterr().err


def test_the_guards_homes_are_found_on_either_version(tmp_path: Path) -> None:
    """Where nobody ends what is in the container's own groups (M-02)."""
    for name in ("v1/freezer", "v1/memory", "v1/none", "v2/init.scope", "bare"):
        (tmp_path / name).mkdir(parents=True)
        if not name.endswith(("none", "init.scope")):
            (tmp_path / name / "cgroup.procs").touch()
    (tmp_path / "v1" / "alias").symlink_to(tmp_path / "v1" / "memory")
    (tmp_path / "v2" / "cgroup.procs").touch()

    def homes(root: str) -> tuple[Path, ...]:
        words = ("--guard-homes", "auto", "--cgroup-root", str(tmp_path / root))
        return read(*words, NODE_NAME="worker").homes

    assert homes("v1") == (tmp_path / "v1/freezer", tmp_path / "v1/memory")
    assert homes("v2") == (tmp_path / "v2/init.scope",)
    assert homes("bare") == (tmp_path / "bare",)

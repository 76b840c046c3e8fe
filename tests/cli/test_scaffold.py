"""What every command of the plugin shares: options, errors in one line, output, completion."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaleset_operator import __version__
from scaleset_operator.cli import app
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.kinds import NAMESPACES, PODS, SCALE_SETS
from scaleset_operator.cli.ports import Target
from tests.support.builders import raw_spec
from tests.support.fake_plugin import FakeEntrance

SLOW = ("aiohttp", "kopf", "kubernetes", "pydantic", "rich", "yaml")
"""Packages that take longer to import than a person wants to wait for --help."""


READY = {
    "type": "Ready",
    "status": "True",
    "reason": "AllHealthy",
    "lastTransitionTime": "2026-11-21T08:00:00Z",
}


def scale_set(name: str = "web", namespace: str = "default") -> dict[str, Any]:
    """One that is fine."""
    return {
        "metadata": {"name": name, "namespace": namespace, "generation": 1, "uid": f"uid-{name}"},
        "spec": raw_spec(replicas=2),
        "status": {"observedGeneration": 1, "conditions": [READY]},
    }


@pytest.fixture
def entrance() -> FakeEntrance:
    made = FakeEntrance()
    made.add(SCALE_SETS, scale_set())
    made.add(SCALE_SETS, scale_set("api", "shop"))
    return made


def process(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The plugin as kubectl starts it, without any cluster in its surroundings."""
    script = "from scaleset_operator.__main__ import plugin; plugin()"
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **env}
    return subprocess.run(
        [sys.executable, "-c", script, *words],
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )


# --- Options -----------------------------------------------------------------------------------


def test_the_namespace_is_the_contexts_unless_one_is_given(entrance: FakeEntrance) -> None:
    entrance.namespace = "shop"
    assert "api" in entrance.run("status").stdout
    assert "api" not in entrance.run("status", "-n", "default").stdout


def test_all_namespaces_are_shown_with_their_names(entrance: FakeEntrance) -> None:
    shown = entrance.run("status", "-A").stdout
    assert shown.splitlines()[0].startswith("NAMESPACE")
    assert "shop" in shown
    assert "default" in shown


def test_all_namespaces_make_no_sense_for_one_object(entrance: FakeEntrance) -> None:
    refused = entrance.run("status", "web", "-A", code=1).stderr
    assert refused.startswith("error: -A names every namespace")


def test_the_target_is_what_the_options_say(entrance: FakeEntrance) -> None:
    entrance.run("status", "--context", "blue", "--kubeconfig", "/k", "--as", "ann")
    assert entrance.targets == [Target(kubeconfig="/k", context="blue", user="ann")]


@pytest.mark.parametrize("words", [["status", "-o", "xml"], ["nonsense"], ["status", "--nope"]])
def test_a_command_line_that_makes_no_sense_ends_with_2(
    entrance: FakeEntrance, words: list[str]
) -> None:
    assert "Error:" in entrance.run(*words, code=2).stderr


@pytest.mark.parametrize(("word", "meant"), [("explain", "why"), ("suspend", "repairs suspend")])
def test_a_word_that_others_use_for_it_is_answered_with_ours(
    entrance: FakeEntrance, word: str, meant: str
) -> None:
    said = entrance.run(word, "web-1", code=2).stderr
    assert f"No such command '{word}'. It is '{meant}'." in said


def test_what_is_meant_by_such_a_word_is_there(entrance: FakeEntrance) -> None:
    for meant in app.CALLED.values():
        command, *rest = meant.split()
        said = entrance.run(command, "--help").stdout
        assert all(word in said for word in rest)


def test_data_is_json_or_yaml_and_nothing_else(entrance: FakeEntrance) -> None:
    as_json = json.loads(entrance.run("status", "-o", "json").stdout)
    as_yaml = yaml.safe_load(entrance.run("status", "-o", "yaml").stdout)
    assert as_json == as_yaml
    assert [item["name"] for item in as_json["items"]] == ["web"]


# --- Errors ------------------------------------------------------------------------------------


def only_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


def test_an_unknown_set_is_told_with_those_there_are(entrance: FakeEntrance) -> None:
    line = only_line(entrance.run("status", "wbe", code=1).stderr)
    assert line == "error: no ScaleSet wbe in namespace default; there are: web"


def test_a_missing_right_names_verb_and_resource(entrance: FakeEntrance) -> None:
    entrance.forbidden.add("scalesets")
    line = only_line(entrance.run("status", "web", code=1).stderr)
    assert line.startswith("error: you may not get scalesets.scaleset.dev in namespace default: ")
    line = only_line(entrance.run("status", "-A", code=1).stderr)
    assert line.startswith("error: you may not list scalesets.scaleset.dev in all namespaces: ")


def test_a_cluster_that_is_not_there_is_told_in_one_line(entrance: FakeEntrance) -> None:
    entrance.away = "no route\nto host"
    assert only_line(entrance.run("status", code=1).stderr) == "error: no route to host"


def test_a_set_that_cannot_be_read_is_told_in_one_line(entrance: FakeEntrance) -> None:
    entrance.add(SCALE_SETS, scale_set() | {"spec": {"replicas": "many"}})
    line = only_line(entrance.run("status", "web", code=1).stderr)
    assert line.startswith("error: ScaleSet default/web cannot be read: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the kubeconfig cannot be used"),
        ("", "the kubeconfig cannot be used"),
        ("][", "the kubeconfig cannot be used"),
        ("clusters: []", "the kubeconfig cannot be used"),
    ],
    ids=["missing", "empty", "torn", "without a context"],
)
@pytest.mark.timeout(60)
def test_a_kubeconfig_of_no_use_is_told_in_one_line(
    tmp_path: Path, content: str | None, said: str
) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    ended = process("status", "--kubeconfig", str(path))
    assert ended.returncode == 1
    assert only_line(ended.stderr).startswith(f"error: {said}")
    assert ended.stdout == ""


# --- Output ------------------------------------------------------------------------------------


@pytest.mark.timeout(60)
def test_help_imports_nothing_slow() -> None:
    """Measured on the import record, which a busy machine does not change."""
    script = (
        "import sys; from scaleset_operator.__main__ import plugin\n"
        "try: plugin()\n"
        "except SystemExit: print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "status" in ended.stdout
    assert {m.partition(".")[0] for m in ended.stderr.splitlines()}.isdisjoint(SLOW)


@pytest.mark.timeout(60)
def test_the_version_is_told() -> None:
    assert process("--version").stdout == f"kubectl-scaleset {__version__}\n"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_gets_narrow_tables(entrance: FakeEntrance, width: int) -> None:
    entrance.add(SCALE_SETS, scale_set("a-set-of-quite-a-name"))
    shown = entrance.run("status", env={"COLUMNS": str(width)}).stdout
    assert max(len(line) for line in shown.splitlines()) <= width
    assert "a-set-of-quite-a-name" in shown
    assert "STATUS" in shown


def test_a_pipe_gets_whole_lines(entrance: FakeEntrance) -> None:
    entrance.add(SCALE_SETS, scale_set("x" * 63))
    assert len(entrance.run("status").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, "", True), (True, "1", False), (False, "", False)],
)
def test_colour_is_for_terminals_and_not_against_anybodys_wish(
    monkeypatch: pytest.MonkeyPatch, *, terminal: bool, no_color: str, coloured: bool
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    console = Call(entrance=FakeEntrance(), target=Target()).console
    assert (console.color_system is not None) is coloured


# --- Completion --------------------------------------------------------------------------------


def completed(entrance: FakeEntrance, *words: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from scaleset_operator.cli.app import COMPLETION, completions  # noqa: PLC0415 - here only

    for name in ("COMP_WORDS", "COMP_CWORD", COMPLETION):
        monkeypatch.setenv(name, "")  # So that it is put back.
    return completions(words, entrance).splitlines()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["sta"], ["status"]),
        (["status", ""], ["web"]),
        (["status", "-n", "shop", "a"], ["api"]),
        (["status", "x"], []),
        (["status", "-n", "sh"], ["shop"]),
    ],
)
def test_tab_finds_commands_sets_and_namespaces(
    entrance: FakeEntrance, monkeypatch: pytest.MonkeyPatch, words: list[str], found: list[str]
) -> None:
    entrance.add(NAMESPACES, {"metadata": {"name": "shop"}})
    assert completed(entrance, *words, monkeypatch=monkeypatch) == [*found, ":4"]


def test_tab_is_silent_without_a_cluster(
    entrance: FakeEntrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrance.away = "no cluster"
    assert completed(entrance, "status", "", monkeypatch=monkeypatch) == [":4"]
    assert PODS.path("a", "b") == "/api/v1/namespaces/a/pods/b"

"""docs/scheduled-events.md: its examples do what they say, and its table names every code."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.adapters.scheduled_events.answers import Code
from scaleset_operator.adapters.scheduled_events.door import Bounds
from scaleset_operator.adapters.scheduled_events.server import EventServer
from tests.adapters.cluster.objects import pod
from tests.adapters.scheduled_events.counter import APPROVED, Counter
from tests.support.event_asker import PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (Path(__file__).parents[3] / "docs" / "scheduled-events.md").read_text(
    encoding="utf-8"
)
ME: Final = "web-3"
WITHIN_S: Final = 20


def example(language: str) -> str:
    """The only block of a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def served() -> Iterator[tuple[Counter, dict[str, str]]]:
    """A set with an instance on 127.0.0.1, and the environment of a program in it."""
    counter = Counter()
    counter.put(pod(3, status={"podIP": "127.0.0.1"}))
    counter.notice(1, 3)
    server = EventServer("", 0, counter.desk.answer, lambda _: None)
    server.start()
    url = f"http://127.0.0.1:{server.port}{PATH}"
    yield counter, {**os.environ, "EVENTS": url, "EVERY": "0.1", "HOSTNAME": ME, "no_proxy": "*"}
    server.close()


def test_the_python_example_gets_ready_and_approves_its_own_end_alone(
    served: tuple[Counter, dict[str, str]],
) -> None:
    """M-19, R-54."""
    counter, environment = served
    call = f"wait_and_approve(lambda event: print(event['Resources']), {ME!r}, every=0.1)"
    done = subprocess.run(
        [sys.executable, "-c", f"{example('python')}\n{call}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=True,
    )
    assert done.stdout == f"['{ME}']\n"
    assert counter.live.marks == [(ME, APPROVED, "true")]


def test_the_shell_example_gets_ready_and_approves_its_own_end_alone(
    served: tuple[Counter, dict[str, str]], tmp_path: Path
) -> None:
    """With stand-ins where the machine has no curl or jq, for the words of the script count."""
    counter, environment = served
    drain = tmp_path / "drain"
    drain.write_text(f"#!/bin/sh\necho drained >> {tmp_path}/said\n", encoding="utf-8")
    drain.chmod(0o755)
    if shutil.which("curl") is None or shutil.which("jq") is None:
        stand_in(tmp_path)
        environment = environment | {"PATH": f"{tmp_path}:{environment['PATH']}"}
    subprocess.run(
        ["bash", "-c", example("bash")],
        env=environment | {"DRAIN": str(drain)},
        timeout=WITHIN_S,
        check=True,
    )
    assert (tmp_path / "said").read_text(encoding="utf-8") == "drained\n"
    assert counter.live.marks == [(ME, APPROVED, "true")]


def stand_in(folder: Path) -> None:
    """A curl and a jq of the few words that the example uses."""
    curl = f"""#!{sys.executable}
import sys, urllib.request
words = sys.argv[1:]
data = words[words.index("--data") + 1].encode() if "--data" in words else None
with urllib.request.urlopen(
    urllib.request.Request(words[-1], data, {{"Metadata": "true"}}), timeout=5
) as answer:
    sys.stdout.write(answer.read().decode())
"""
    jq = f"""#!{sys.executable}
import json, sys
me = sys.argv[sys.argv.index("me") + 1]
for event in json.load(sys.stdin)["Events"]:
    if event["EventType"] == "Terminate" and event["Resources"] == [me]:
        print(event["EventId"])
"""
    for name, text in (("curl", curl), ("jq", jq)):
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)


def test_the_default_of_the_python_example_is_the_pods_own_name() -> None:
    assert "me=socket.gethostname()" in example("python")
    assert socket.gethostname()


def test_every_code_has_its_row_and_no_other_has_one() -> None:
    """X-11."""
    table = PAGE.partition("## When there is no answer")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [\d, ]+ \| (.*?) \|", table, re.MULTILINE)
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == set(Code)


def test_the_bounds_that_are_told_are_those_that_hold() -> None:
    bounds = Bounds()
    lines = " ".join(PAGE.split())
    share = f"{bounds.one_each_second:.0f} a second, or holds {bounds.of_one} open"
    for said in (
        f"{bounds.each_second:.0f} connections a second and {bounds.at_once} at once in all",
        f"must have come within {bounds.head_s:.0f} seconds",
        f"a connection is over after {bounds.whole_s:.0f}",
        f"opened {bounds.one_burst} connections after a rest, then more than {share}",
    ):
        assert said in lines, said

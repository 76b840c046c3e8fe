"""The runtime before runc: what it takes out of a description, and where it finds one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localcluster.restricted import runtime

SETS = ("bounding", "effective", "permitted")
ALLOWED = frozenset(runtime.CAPABILITIES) - {"CAP_SYS_RESOURCE"}


def process() -> dict[str, Any]:
    return {
        "args": ["/sbin/init"],
        "capabilities": {kind: ["CAP_CHOWN", "CAP_SYS_RESOURCE", "CAP_BPF"] for kind in SETS},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}],
    }


def test_capabilities_are_read_by_their_numbers() -> None:
    assert len(runtime.CAPABILITIES) == 41
    assert runtime.CAPABILITIES[24] == "CAP_SYS_RESOURCE"
    assert runtime.bounding_set("CapBnd:\t0000000001000001") == {"CAP_CHOWN", "CAP_SYS_RESOURCE"}
    assert runtime.bounding_set("CapEff:\t0\nCapBnd:\t000001fffeffffff\n") == ALLOWED


def test_a_bundle_loses_what_cannot_be_given_and_keeps_the_rest() -> None:
    bundle = {"ociVersion": "1.0.2", "process": process(), "root": {"path": "rootfs"}}
    found = runtime.rewritten(bundle, ALLOWED)
    assert found["root"] == {"path": "rootfs"}
    assert found["process"] == {
        "args": ["/sbin/init"],
        "capabilities": {kind: ["CAP_CHOWN", "CAP_BPF"] for kind in SETS},
    }
    assert bundle["process"] == process(), "what was given stays as it was"


def test_a_process_alone_is_rewritten_in_the_same_way() -> None:
    found = runtime.rewritten(process(), ALLOWED)
    assert "rlimits" not in found
    assert found["capabilities"]["effective"] == ["CAP_CHOWN", "CAP_BPF"]


def test_what_asks_for_nothing_stays_as_it_is() -> None:
    assert runtime.rewritten({"ociVersion": "1.0.2"}, ALLOWED) == {"ociVersion": "1.0.2"}
    assert runtime.rewritten({"args": ["sh"]}, ALLOWED) == {"args": ["sh"]}


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (["--root", "/r", "create", "--bundle", "/b", "--pid-file", "p", "id"], "/b/config.json"),
        (["create", "-b", "/b", "id"], "/b/config.json"),
        (["run", "--bundle=/b", "id"], "/b/config.json"),
        (["run", "id"], "config.json"),
        (["exec", "--process", "/p", "--detach", "id"], "/p"),
        (["exec", "-p=/p", "id"], "/p"),
        (["exec", "id", "sh"], None),
        (["--root", "/r", "start", "id"], None),
        (["--version"], None),
    ],
)
def test_the_description_is_found_where_runc_looks_for_it(
    arguments: list[str], file: str | None
) -> None:
    assert runtime.description(arguments) == (Path(file) if file else None)


def test_as_a_program_it_rewrites_the_file_and_becomes_runc(tmp_path: Path) -> None:
    runc = tmp_path / "runc"
    runc.write_text('#!/bin/sh\necho "$@"\n')
    runc.chmod(0o755)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ociVersion": "1.0.2", "process": process()}))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(runtime.__file__), "create", "-b", str(tmp_path), "id"],
        env={"PATH": f"{tmp_path}:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"create -b {tmp_path} id\n"
    assert "rlimits" not in json.loads(config.read_text())["process"]

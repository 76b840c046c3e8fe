"""The rules of the house, as tests: what a reader may rely on everywhere in this repository.

Each rule stands in CONTRIBUTING.md with its reason. A rule that the linter or the type checker
already holds is not repeated here.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.timeout(180)  # It reads every file there is.

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "operator"
PACKAGE: Final = SOURCE / "scaleset_operator"

LONGEST_FILE: Final = 300
LONGEST_FUNCTION: Final = 40
DRAWERS: Final = frozenset({"utils", "util", "helpers", "helper", "common", "misc"})

# In pieces, so that this file does not hold what it looks for.
NOT_OURS_TO_NAME: Final = [
    *(f"/{folder}/" for folder in ("work", "farm", "root")),
    *(".".join(parts) for parts in (("pypi", "org"), ("registry", "npmjs"), ("static", "crates"))),
    *(".".join(parts) for parts in (("proxy", "golang"), ("deb", "debian", "org"))),
]
CHANGES: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def relative(path: Path) -> str:
    """The path as it is written in a message."""
    return path.relative_to(ROOT).as_posix()


def modules(*folders: Path) -> list[Path]:
    """Every Python file under the given folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The module's tree, read once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method in the module, nested ones included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def project() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file that is ours: not what tools and builds leave behind."""
    leavings = {"__pycache__", "build", "dist", "htmlcov", "results", "site"}
    # A second work tree has a file .git where the first has a folder.
    for folder, names, files in os.walk(ROOT):
        names[:] = [n for n in names if n not in leavings and (n == ".ci" or n[0] != ".")]
        for path in (
            Path(folder, name)
            for name in files
            if name != ".git" and not name.startswith(".coverage")
        ):
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


# --- Layout ------------------------------------------------------------------------------------


def test_operator_is_a_source_root_and_never_a_package() -> None:
    assert not (SOURCE / "__init__.py").exists(), "it would shadow the standard library's operator"


def test_imports_go_down_the_drawing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_drawing_in_the_architecture_names_every_room() -> None:
    drawing = re.search(
        r"^```[a-z]*\n(.*?)^```$",
        (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert drawing, "ARCHITECTURE.md has no drawing"
    rooms = {
        path.stem
        for path in PACKAGE.iterdir()
        if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert sorted(room for room in rooms if room not in drawing[1]) == []


def test_no_module_is_a_drawer() -> None:
    parts = {
        (relative(path), part) for path in modules(SOURCE) for part in path.with_suffix("").parts
    }
    assert sorted(path for path, part in parts if part in DRAWERS) == []


# --- Sizes and texts ---------------------------------------------------------------------------


def test_no_file_is_too_long_to_be_one_thing() -> None:
    lengths = {
        relative(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(SOURCE)
    }
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_too_long_to_be_read_at_once() -> None:
    lengths = {
        f"{relative(path)}::{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules(SOURCE)
        for node in functions(path)
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION} == {}


def test_every_module_says_what_it_is_for() -> None:
    folders = [SOURCE, *(ROOT / name for name in ("tests", "bench", "demo", "manifests"))]
    silent = [relative(path) for path in modules(*folders) if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_every_room_says_what_it_must_not_know() -> None:
    limits = re.compile(r"\b(no|not|nothing|never|only)\b", re.IGNORECASE)
    doors = sorted(PACKAGE.glob("*/__init__.py"))
    assert doors
    silent = [
        relative(door) for door in doors if not limits.search(ast.get_docstring(parsed(door)) or "")
    ]
    assert silent == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    named = [
        f"{relative(path)}: {word}"
        for path, text in texts()
        for word in NOT_OURS_TO_NAME
        if word in text
    ]
    assert named == []


# --- Tools -------------------------------------------------------------------------------------


def test_pytest_is_new_enough_to_read_its_settings() -> None:
    assert Version(pytest.__version__).major >= 9, "pytest 8 ignores [tool.pytest] and says nothing"


def test_every_make_target_is_explained_and_phony() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = re.findall(r"^([a-z][a-z-]*):(?!=)(.*)$", text, re.MULTILINE)
    assert {"help", "setup", "check", "test", "demo", "bench"} <= {name for name, _ in rules}
    assert [name for name, rest in rules if not re.search(r"## \S", rest)] == []
    assert [name for name, _ in rules if f"\n.PHONY: {name}\n" not in text] == []


def locked() -> dict[str, Version]:
    """The versions of requirements.lock, by normalised name."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {re.sub(r"[-_.]+", "-", name).lower(): Version(version) for name, version in pins}


def test_the_lock_holds_names_and_versions_alone() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+")
    assert [line for line in lines if not (line.startswith("# ") or pin.fullmatch(line))] == []


def test_the_lock_satisfies_what_the_project_declares() -> None:
    declared, extras = project()["project"], project()["project"]["optional-dependencies"]
    texts_ = [*declared["dependencies"], *(line for extra in extras.values() for line in extra)]
    wanted = [Requirement(text) for text in texts_]
    pins = locked()
    unmet = [
        str(requirement)
        for requirement in wanted
        if requirement.name != declared["name"]
        and not requirement.specifier.contains(
            pins.get(re.sub(r"[-_.]+", "-", requirement.name).lower(), Version("0"))
        )
    ]
    assert unmet == []


# --- What users read ---------------------------------------------------------------------------


def test_every_sample_is_a_named_resource() -> None:
    samples = sorted((ROOT / "manifests" / "samples").glob("*.yaml"))
    assert samples
    for sample in samples:
        for document in yaml.safe_load_all(sample.read_text(encoding="utf-8")):
            assert {"apiVersion", "kind", "metadata"} <= document.keys(), relative(sample)
            assert document["metadata"]["name"], relative(sample)


def test_the_changelog_keeps_its_form() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    dated = re.compile(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}")
    assert [line for line in versions[1:] if not dated.fullmatch(line)] == []

    entries = lines[lines.index(versions[0]) :]
    heads = [line.removeprefix("### ") for line in entries if line.startswith("### ")]
    assert set(heads) <= set(CHANGES)
    known = re.compile(r"- [A-Z`].*\.|###? .*|\[[^\]]+\]: \S+|")
    assert [line for line in entries if not known.fullmatch(line)] == [], "one sentence, one line"


def test_no_section_of_the_changelog_stands_twice() -> None:
    """Two branches that each open a section merge into two of the same name."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for version in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heads = re.findall(r"^### .*$", version, re.MULTILINE)
        assert len(heads) == len(set(heads)), version.splitlines()[0]

"""What people read: pages, links, commands, fields and tests that are named are there.

What the builder of the site knows nothing of, and its menu and links as GitHub reads them, too.
That it builds without a warning is seen by `make docs`. Must not know: what any page says.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer
import yaml

from scaleset_operator.__main__ import main
from scaleset_operator.adapters.metrics.page import metrics_page
from scaleset_operator.api import agentreport, base, pauserequest
from scaleset_operator.api.crd import resource_schema
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.api.reference import fields_of
from scaleset_operator.cli import app
from scaleset_operator.cli.diagnosis.rights import OPERATOR

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted(DOCS.rglob("*.md"))
OUTSIDE: Final = [ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING")]
TEXTS: Final = {path.relative_to(ROOT).as_posix(): path for path in (*OUTSIDE, *PAGES)}
each_text: Final = pytest.mark.parametrize("name", TEXTS)

MOST_COMMANDS: Final = 10
PLUGIN: Final = re.compile(r"(?:kubectl[ -]scaleset)((?: [^\s`|]+)*)")
TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
FIELD: Final = re.compile(r"`((?:spec|status)(?:\.\w+(?:\[\])?)+)`")
SHORT: Final = re.compile(r"`([a-z]+[A-Z][A-Za-z]*)(?::[^`]*)?`")
OURS: Final = re.compile(rf"\b{re.escape(base.GROUP)}/([\w-]+)")
SERIES: Final = re.compile(r"\bscaleset_(?!operator\b)[a-z_]+")
NOT_OURS: Final = frozenset(
    {
        "activeDeadlineSeconds",
        "backoffLimit",
        "emptyDir",
        "hostNetwork",
        "hostPID",
        "imagePullPolicy",
        "priorityClassName",
        "restartPolicy",
        "ttlSecondsAfterFinished",
    }
)
"""Fields of Kubernetes that pages name."""
AS_USERS_WRITE: Final = ("spec.template.",)
"""Below these, a field is Kubernetes' own."""


@cache
def text_of(path: Path) -> str:
    """A text, read once."""
    return path.read_text(encoding="utf-8")


def prose_of(path: Path) -> str:
    """A text without its blocks of code and its inline code, where nothing is a link."""
    plain = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", plain)


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """Anchors of the headings that GitHub and the builder of the site make alike, and only once."""
    body = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.DOTALL | re.MULTILINE)
    heads = re.findall(r"^#+ (.+)$", body, re.MULTILINE)
    github = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
    python = [re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in heads]
    return frozenset(a for a, b in zip(github, python, strict=True) if a == b and heads) - {
        anchor for anchor in github if github.count(anchor) > 1
    }


def links_of(path: Path) -> Iterator[tuple[str, str]]:
    """Each relative link of a text: the path, empty for the text itself, and the anchor."""
    for target in re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose_of(path)):
        if not re.match(r"[a-z]+:", target):
            yield target.partition("#")[0], target.partition("#")[2]


@cache
def plugin_commands() -> dict[str, set[str]]:
    """Every command of the plugin, groups spelled out, with its options."""
    found: dict[str, set[str]] = {}

    def gather(command: Any, name: str) -> None:
        inner = getattr(command, "commands", {})
        options = {option for each in command.params for option in getattr(each, "opts", ())}
        found[name] = {option for option in options if option.startswith("-")} | {"--help", "-h"}
        for key, each in inner.items():
            gather(each, f"{name} {key}".strip())

    gather(typer.main.get_command(app.build()), "")
    return found


def faults_of_call(words: list[str]) -> Iterator[str]:
    """What of a plugin's command line there is not."""
    known = plugin_commands()
    name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
    if name is None:
        yield f"no command {words[:2]}"
        return
    for word in words:
        option = word.strip("[].,;:").partition("=")[0]
        if option.startswith("-") and option not in known[name]:
            yield f"{name} has no {option}"


@each_text
def test_every_link_leads_somewhere(name: str) -> None:
    path = TEXTS[name]
    broken = []
    for target, anchor in links_of(path):
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors_of(there)):
            broken.append(f"{target}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_leads_to_no_file_that_the_site_has_not(page: Path) -> None:
    targets = [(page.parent / target).resolve() for target, _ in links_of(page) if target]
    assert [target for target in targets if target not in PAGES] == []


def test_the_menu_lists_every_page_once_and_no_other() -> None:
    site = yaml.safe_load(text_of(ROOT / "mkdocs.yml"))
    entries = [page for entry in site["nav"] for page in entry.values()]
    inside = [page for entry in entries if isinstance(entry, list) for page in entry]
    listed = [page for page in entries if isinstance(page, str)]
    listed += [file for page in inside for file in page.values()]
    assert sorted(listed) == [page.relative_to(DOCS).as_posix() for page in PAGES]
    assert not {"plugins", "theme"} & site.keys(), "two builders have neither in common"
    assert site["strict"] is True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_opens_with_its_title_and_says_what_it_is_for(page: Path) -> None:
    title, _, opening = re.sub(r"<!--.*?-->\s*", "", text_of(page), flags=re.DOTALL).partition("\n")
    assert re.fullmatch(r"# \S.*", title)
    # A runbook's first heading is the same on every one, as are the questions that follow it.
    assert re.match(r"\s*(## What it means\s+)?[A-Z`*][^#|]{40,}", opening)


@each_text
def test_every_command_of_the_plugin_that_is_named_is_there(name: str) -> None:
    calls = [words.split() for words in PLUGIN.findall(text_of(TEXTS[name]))]
    calls = [words for words in calls if words and re.match(r"[a-z]", words[0])]
    assert [fault for words in calls for fault in faults_of_call(words)] == []


@cache
def fields() -> frozenset[str]:
    """The path of every field of every kind."""
    parts = [
        (part, resource_schema(kind)["properties"][part])
        for kind in KINDS
        for part in ("spec", "status")
    ]
    return frozenset(
        f.replace("[]", "") for part, schema in parts for f, _ in fields_of(schema, part)
    )


@each_text
def test_every_field_that_is_named_is_in_the_definitions(name: str) -> None:
    known = fields()
    named = {field.replace("[]", "") for field in FIELD.findall(text_of(TEXTS[name]))}
    assert {f for f in named - known if not f.startswith(AS_USERS_WRITE)} == set()


@each_text
def test_every_field_that_is_named_without_its_path_is_in_the_definitions(name: str) -> None:
    known = {step for field in fields() for step in field.split(".")} | NOT_OURS
    assert set(SHORT.findall(text_of(TEXTS[name]))) - known == set()


@each_text
def test_every_label_annotation_and_condition_that_is_named_is_one_of_ours(name: str) -> None:
    ours = {
        str(v).partition("/")[2]
        for module in (agentreport, base, pauserequest)
        for k, v in vars(module).items()
        if k.isupper() and "/" in str(v)
    }
    assert set(OURS.findall(text_of(TEXTS[name]))) <= ours


@each_text
def test_every_series_that_is_named_is_exported(name: str) -> None:
    page = metrics_page()
    named = set(SERIES.findall(text_of(TEXTS[name])))
    assert {series for series in named if f"`{series}`" not in page} == set()


def test_every_proof_of_a_failure_mode_is_there_and_none_is_without() -> None:
    modes = re.split(r"^## ", text_of(DOCS / "failure-modes.md"), flags=re.MULTILINE)[1:]
    named = {mode.partition("\n")[0]: TEST.findall(mode) for mode in modes}
    assert [mode for mode, proofs in named.items() if not proofs] == []
    missing = [
        f"{file}::{test}"
        for file, test in sorted({proof for proofs in named.values() for proof in proofs})
        if not re.search(rf"^(async )?def {test}\(", text_of(ROOT / file), re.MULTILINE)
    ]
    assert missing == []


def test_the_rights_that_are_told_are_those_that_the_operator_needs() -> None:
    text = text_of(DOCS / "security.md")
    table = text.partition("| --- | --- | --- | --- |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\S+) \| (\S+) \| ([a-z, ]+) \| \S.* \|$", table, re.MULTILINE)
    told = {
        (verb, group, resource) for resource, group, verbs in rows for verb in verbs.split(", ")
    }
    needed = {
        (r.verb, r.group or "core", f"{r.resource}/{r.subresource}".strip("/")) for r in OPERATOR
    }
    assert told == needed


def test_what_is_installed_is_in_this_repository() -> None:
    """Files and folders that the page names, by their own path or by where they stand in theirs."""
    text = text_of(DOCS / "installing.md")
    named = re.findall(r"\b((?:manifests|overlays|components)/[\w./-]*[\w])", text)
    assert {"manifests/install.yaml", "manifests/chart", "overlays/one-namespace"} <= {*named}
    for name in named:
        assert (ROOT / name).exists() or (ROOT / "manifests" / name).exists(), name


def ways() -> dict[str, list[str]]:
    """The commands of the quickstart, by the heading of the way they stand under."""
    parts = re.split(r"^## (.+)$", text_of(DOCS / "quickstart.md"), flags=re.MULTILINE)
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {
        head: commands
        for head, body in found
        if (commands := re.findall(r"^\$ (.+)$", body, re.MULTILINE))
    }


def test_each_way_of_the_quickstart_takes_ten_commands_at_most() -> None:
    assert len(ways()) == 2
    assert {head: len(done) for head, done in ways().items() if len(done) > MOST_COMMANDS} == {}


@pytest.mark.parametrize("command", sorted({c for done in ways().values() for c in done}))
def test_every_command_of_the_quickstart_can_be_typed(command: str) -> None:
    words = re.sub(r"\s+#.*$", "", command).split()
    for file in re.findall(r"-f (\S+)", command):
        assert (ROOT / file).exists()
    match words:
        case ["make", target, *_]:
            assert f"\n{target}:" in text_of(ROOT / "Makefile")
        case ["kubectl", "scaleset", *rest]:
            assert list(faults_of_call(rest)) == []
        case ["scaleset-operator", *rest]:
            with pytest.raises(SystemExit, match="0"):
                main([*rest, "--help"])
        case _:
            assert words[0] in {"export", "kubectl", "pip"}

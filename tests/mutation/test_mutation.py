"""The tool for mutation testing: which mutants there are, where they go, and what the page says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from scaleset_operator.api.base import Reason as Code
from scaleset_operator.core import doubt, evidence, images
from scaleset_operator.core.images import plain
from scaleset_operator.core.objections import Objection
from tests.mutation.grafting import graft
from tests.mutation.mutants import CORE, Mutant, mutants_of
from tests.mutation.page import Reason, page, reasons
from tests.mutation.results import Results, Row
from tests.mutation.session import forked
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE = '''
from typing import Final, assert_never

WAIT_S: Final = 60

class Sight:
    """Two eyes."""

    @property
    def sees(self) -> bool:
        return self.eyes > 1

def said(kind):
    if kind is None:
        return "it is not known"
    if kind == "code":
        return kind
    assert_never(kind)
'''


def found_in(folder: Path) -> list[Mutant]:
    path = folder / "small.py"
    path.write_text(SOURCE, encoding="utf-8")
    return mutants_of(path)


def after(work: Callable[[], Any], mutant: Mutant) -> Any:
    """What `work` gives once the mutant is in place, in a process of its own."""

    def grafted() -> Any:
        graft(mutant)
        return work()

    _, pipe = forked(grafted)
    with os.fdopen(pipe, encoding="utf-8") as said:
        os.wait()
        return said.read()


def the_one(module: str, where: str, changed: str) -> Mutant:
    mutants = mutants_of(CORE / f"{module}.py")
    return next(m for m in mutants if m.where == where and changed in m.after)


def test_constants_and_properties_have_mutants_and_wording_has_none(tmp_path: Path) -> None:
    changes = {(mutant.where, mutant.after) for mutant in found_in(tmp_path)}
    assert ("(module) WAIT_S", "WAIT_S: Final = 61") in changes
    assert ("Sight.sees", "return self.eyes >= 1") in changes
    assert ("said", "if kind is not None:") in changes
    assert ("said", 'if kind == "XXcodeXX":') in changes
    texts = " ".join(text for _, text in changes)
    assert "known" not in texts
    assert "eyes." not in texts
    assert "assert_never" not in texts


def test_mutants_that_read_the_same_are_told_apart(tmp_path: Path) -> None:
    keys = [mutant.key for mutant in found_in(tmp_path)]
    assert len(keys) == len(set(keys))


def test_a_default_is_reached_by_whatever_runs_its_function() -> None:
    mutant = the_one("rollout_inplace", "_go_on", "waits: bool = False")
    assert len(mutant.lines) > len(mutant.before.splitlines())


def test_whoever_imported_a_function_meets_its_mutant() -> None:
    mutant = the_one("images", "plain", "removesuffix(HUB_LIBRARY)")
    assert after(lambda: plain("library/nginx"), mutant) == '"library/nginx"'
    assert plain("library/nginx") == "nginx"


def test_whoever_imported_a_constant_meets_its_mutant() -> None:
    mutant = the_one("images", "(module) HUB_LIBRARY", "XXlibrary")
    assert after(lambda: plain("XXlibrary/XXnginx"), mutant) == '"nginx"'
    assert images.HUB_LIBRARY == "library/"


def test_the_default_of_a_class_can_be_a_mutant() -> None:
    mutant = the_one("evidence", "(module) Evidence", "http_status: int = 1")
    assert after(lambda: evidence.Evidence(watched_since=T0).http_status, mutant) == "1"
    assert evidence.Evidence(watched_since=T0).http_status == 0


def test_the_default_of_a_named_tuple_can_be_a_mutant() -> None:
    mutant = the_one("objections", "(module) Objection", "lasts: bool = False")
    assert after(lambda: Objection(Code.RECOVERED).lasts, mutant) == "false"
    assert Objection(Code.RECOVERED).lasts is True


def test_a_constant_of_one_module_is_changed_in_no_other() -> None:
    mutant = the_one("doubt", "(module) NODE_SILENT_SHARE", "1.9")
    assert after(lambda: doubt.NODE_SILENT_SHARE, mutant) == "1.9"


def a_row(killer: str | None = None, **fields: Any) -> Row:
    values = {"module": "doubt", "where": "weigh", "before": "a | b", "after": "a & b"}
    return Row(**(values | {"nth": 1, "line": 7, "killer": killer} | fields))


def test_the_page_tells_the_score_and_every_survivor(tmp_path: Path) -> None:
    results = Results(tmp_path / "none", [a_row(), a_row("test_x", nth=2), a_row("test_y", nth=3)])
    text = page(results, T0.date())
    assert f"Of {T0:%Y-%m-%d}, every mutant" in text
    assert "| **doubt** | 3 | 2 | 1 | 66.7 % |" in text
    assert r"| `` weigh `` | `` a \| b `` | `` a & b `` |" in text
    assert "not explained" in text


def test_results_outlive_the_run(tmp_path: Path) -> None:
    Results(tmp_path / "results.json", [a_row("test_x")]).keep()
    assert Results.kept_in(tmp_path).killer(a_row().key) == "test_x"


def test_a_reason_is_about_the_survivors_that_it_names_alone() -> None:
    reason = Reason(module="doubt", where="we*", after="&", reason="both are sets of one")
    assert reason.explains(a_row())
    assert not reason.explains(a_row(where="until"))
    assert not reason.explains(a_row(after="a ^ b"))


def test_every_reason_is_about_code_that_stands() -> None:
    """A reason whose code has changed is to be taken out, and the module run again."""
    sources = {path.stem: path.read_text("utf-8") for path in CORE.glob("*.py")}
    gone = [
        reason
        for reason in reasons()
        if reason.module in sources
        and any(line not in sources[reason.module] for line in reason.before.splitlines())
    ]
    assert gone == []

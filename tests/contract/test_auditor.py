"""The auditor finds what is forged, and nothing in a history that keeps the rules."""

import ast
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.forged import START, Forger
from tests.support import (
    auditor,
    auditor_books,
    auditor_moves,
    auditor_notices,
    auditor_records,
    auditor_renewals,
    auditor_watch,
    kube_api,
)

SHARED = (
    "auditor",
    "auditor_books",
    "auditor_moves",
    "auditor_notices",
    "auditor_renewals",
    "kube_api",
)


@pytest.mark.parametrize(
    "module",
    [
        auditor,
        auditor_books,
        auditor_moves,
        auditor_notices,
        auditor_records,
        auditor_renewals,
        auditor_watch,
        kube_api,
    ],
)
def test_the_auditor_imports_nothing_of_the_operator(module: object) -> None:
    """Rule 28."""
    path = getattr(module, "__file__", None)
    assert path is not None
    tree = ast.parse(Path(path).read_text())
    imported = {
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
        )
    }
    allowed = {"tests.support." + part for part in SHARED}
    ours = {name for name in imported if name.startswith(("scaleset_operator", "tests"))}
    assert ours <= allowed | {"tests.support.auditor_records"}


def test_repairs_by_the_book_are_no_violation() -> None:
    """Rules 1 to 9."""
    forger = Forger(desired=40)
    forger.repair(1, 41).repair(2, 42)
    assert forger.none()
    assert forger.auditor.repaired() == ["web-1", "web-2"]
    assert forger.auditor.max_in_flight == 1
    assert "2 instances repaired, at most 1 in flight" in forger.auditor.summary()
    forger.auditor.expect_repaired(["web-2", "web-1"])
    forger.auditor.expect_settled()
    assert forger.none()


def test_a_repair_inside_the_grace_is_found() -> None:
    """I2."""
    forger = Forger(desired=20)
    forger.repair(1, 21).after(60).repair(21, 22)
    assert "I2: web-21 was repaired" in forger.only()


def test_a_restart_of_the_containers_does_not_renew_the_grace() -> None:
    forger = Forger(desired=20)
    forger.after(60).runs("web-1").after(60).repair(1, 21)
    assert forger.none()


def test_enabling_repairs_begins_a_grace_for_all() -> None:
    """I2; rule 14."""
    forger = Forger(desired=20, enabled=False)
    forger.set["spec"]["automaticRepairsPolicy"]["enabled"] = True
    forger.after(60).tell().after(60).repair(1, 21)
    assert "I2: web-1 was repaired" in forger.only()


def test_a_repair_of_an_instance_that_never_started_is_found() -> None:
    """I2."""
    forger = Forger(desired=20)
    forger.fails("web-20").create(21).after(7200).repair(21, 22)
    assert "I2: web-21 was repaired although it never started" in forger.only()


@pytest.mark.parametrize("label", ["protect-from-scale-in", "protect-from-scale-set-actions"])
def test_a_repair_of_a_protected_instance_is_found(label: str) -> None:
    """I6."""
    forger = Forger(desired=20)
    forger.label("web-1", label).repair(1, 21)
    assert "I6: web-1 was repaired although it is protected" in forger.only()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"serviceState": "Suspended"}, "serviceState is Suspended"),
        ({"mode": "Observe"}, "the mode is Observe"),
        ({"enabled": False}, "repairs are disabled"),
    ],
)
def test_a_record_while_repairs_are_stopped_is_found(change: dict[str, object], words: str) -> None:
    """I6: exact, for the record is fenced by the set's version."""
    forger = Forger(desired=20)
    forger.set["spec"]["automaticRepairsPolicy"] |= change
    forger.tell().health("False", "web-1").record(("web-1", "web-21"))
    assert f"I6: a repair was recorded although {words}" in forger.only()


def test_a_record_under_a_suspension_by_the_platform_is_found() -> None:
    """I6."""
    forger = Forger(desired=20)
    forger.ledger["suspendedSince"] = START.isoformat()
    forger.health("False", "web-1").record(("web-1", "web-21"))
    assert "I6: a repair was recorded although the platform" in forger.only()


def test_a_suspension_by_annotation_holds_until_it_lapses() -> None:
    """I6; design 3."""
    forger = Forger(desired=20)
    until = START + timedelta(minutes=5)
    forger.set["metadata"]["annotations"]["scaleset.dev/repairs-suspended-until"] = (
        until.isoformat()
    )
    forger.after(60).record(("web-1", "web-21")).close("web-1")
    assert "I6: a repair was recorded although a person" in forger.only()
    forger.after(300).repair(2, 22)
    assert len(forger.auditor.violations()) == 1


def test_a_deletion_long_after_a_suspension_is_found() -> None:
    """I6; rules 4 and 5."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").record(("web-1", "web-21"))
    forger.set["spec"]["automaticRepairsPolicy"]["serviceState"] = "Suspended"
    forger.tell().after(7).delete("web-1")
    assert "I6: web-1 was repaired although serviceState is Suspended" in forger.only()


def test_a_deletion_under_way_when_repairs_were_suspended_is_none() -> None:
    """Rule 5: an act may be 5 s old."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").record(("web-1", "web-21"))
    forger.set["spec"]["automaticRepairsPolicy"]["serviceState"] = "Suspended"
    forger.tell().after(4).delete("web-1")
    assert forger.none()


def test_a_repair_of_a_healthy_instance_is_found() -> None:
    """I3."""
    forger = Forger(desired=20)
    forger.record(("web-1", "web-21")).delete("web-1")
    assert "I3: web-1 was repaired although it is Healthy" in forger.only()


def test_a_requested_repair_may_hit_a_healthy_instance() -> None:
    """Rule 4."""
    forger = Forger(desired=40)
    forger.annotate("web-1", "repair", "requested").record(("web-1", "web-41")).delete("web-1")
    assert forger.none()


def test_a_deletion_without_a_word_is_found() -> None:
    """Rule 3: record before act."""
    forger = Forger(desired=20)
    forger.delete("web-1").gone("web-1")
    assert "unannounced: web-1" in forger.only()
    assert forger.auditor.unannounced == ["web-1"]


def test_a_deletion_after_the_record_was_taken_back_is_found() -> None:
    """Rule 4: a Cancelled repair deletes nothing."""
    forger = Forger(desired=20)
    forger.health("False", "web-1").record(("web-1", "web-21")).close("web-1").delete("web-1")
    assert "unannounced: web-1" in forger.only()


def test_what_the_test_itself_deletes_is_forgiven() -> None:
    """Rule 28."""
    forger = Forger(desired=20)
    forger.auditor.forgive("web-1")
    forger.delete("web-1").gone("web-1")
    assert forger.none()


def test_pods_that_are_over_or_released_or_of_a_deleted_set_may_go() -> None:
    """Design 2."""
    forger = Forger(desired=20)
    forger.fails("web-1").gone("web-1").disown("web-2").gone("web-2")
    forger.auditor.see("DELETED", forger.set, forger.at)
    forger.delete("web-3").gone("web-3")
    forger.auditor.expect_settled()
    assert forger.none()

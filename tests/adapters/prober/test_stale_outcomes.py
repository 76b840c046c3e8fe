"""Outcomes found under anything but the present target never count."""

from collections.abc import Hashable

import pytest

from scaleset_operator.adapters.prober.evidence import EvidenceTable, TargetSpec
from scaleset_operator.adapters.prober.wire import RECORD, Code, OutcomeRecord, SetTarget
from scaleset_operator.api.healthprobe import Protocol

KEY = ("uid-1", "health")


def spec(**changes: object) -> TargetSpec:
    fields: dict[str, object] = {
        "pod_uid": "uid-1",
        "ip": "10.0.0.1",
        "probe_key": ("probe-uid", 1, 8080),
        "protocol": Protocol.HTTP,
        "port": 8080,
        "path": "/healthz",
        "interval": 5.0,
        "timeout": 11.0,
    }
    return TargetSpec(**(fields | changes))  # type: ignore[arg-type]


def outcome(command: SetTarget, code: Code = Code.REFUSED, sequence: int = 1) -> bytes:
    return RECORD.pack(
        *OutcomeRecord(command.target, command.epoch, sequence, 0, code, 1_000, 2_000)
    )


def add(table: EvidenceTable, key: Hashable = KEY, **changes: object) -> SetTarget:
    command = table.set(key, spec(**changes), 500)
    assert command is not None
    return command


def test_an_outcome_of_the_present_target_counts() -> None:
    table = EvidenceTable()
    command = add(table)

    assert table.take(outcome(command)) == [KEY]

    evidence = table.get(KEY)
    assert evidence is not None
    assert evidence.failures == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"ip": "10.0.0.2"},
        {"probe_key": ("probe-uid", 2, 8080)},
        {"probe_key": ("other-uid", 1, 8080)},
        {"port": 9090},
        {"path": "/ready"},
        {"protocol": Protocol.TCP, "path": ""},
        {"interval": 6.0},
        {"timeout": 12.0},
    ],
    ids=str,
)
def test_a_changed_target_begins_anew_and_older_outcomes_are_dropped(
    changes: dict[str, object],
) -> None:
    """P-25, P-31: old results do not convict under new rules."""
    table = EvidenceTable()
    before = add(table)
    table.take(outcome(before))

    after = table.set(KEY, spec(**changes), 900)
    assert after is not None
    assert table.take(outcome(before, sequence=2)) == []

    evidence = table.get(KEY)
    assert evidence is not None
    assert (evidence.outcome, evidence.failures, evidence.sequence) == (None, 0, 0)
    assert evidence.watched_since == 900
    assert (after.target, after.epoch > before.epoch) == (before.target, True)
    assert table.take(outcome(after)) == [KEY]


def test_the_same_spec_again_keeps_the_evidence() -> None:
    table = EvidenceTable()
    command = add(table)
    table.take(outcome(command))

    assert table.set(KEY, spec(), 900) is None

    evidence = table.get(KEY)
    assert evidence is not None
    assert evidence.failures == 1


def test_a_result_for_a_gone_pod_never_counts_for_the_new_owner_of_its_address() -> None:
    """P-30: keyed by UID, never by address."""
    table = EvidenceTable()
    old = add(table)
    table.drop(KEY)
    new_key = ("uid-2", "health")
    new = add(table, new_key, pod_uid="uid-2")

    assert table.take(outcome(old)) == []

    evidence = table.get(new_key)
    assert evidence is not None
    assert evidence.outcome is None
    assert new.target != old.target


def test_a_dropped_target_that_comes_back_is_a_stranger() -> None:
    """P-31: what was asked before the drop is superseded."""
    table = EvidenceTable()
    old = add(table)
    assert table.drop(KEY) == old.target
    assert table.get(KEY) is None
    add(table)

    assert table.take(outcome(old)) == []

    evidence = table.get(KEY)
    assert evidence is not None
    assert evidence.outcome is None


def test_dropping_what_is_not_watched_tells_nobody() -> None:
    assert EvidenceTable().drop(KEY) is None


def test_a_new_prober_process_begins_every_target_anew() -> None:
    """P-31, X-08: what the process before it found says nothing of the time in between."""
    table = EvidenceTable()
    old = add(table)
    table.take(outcome(old))

    (again,) = table.renew(7_000)
    assert table.take(outcome(old, sequence=2)) == []

    evidence = table.get(KEY)
    assert evidence is not None
    assert (evidence.outcome, evidence.watched_since) == (None, 7_000)
    assert table.take(outcome(again, Code.OK)) == [KEY]
    assert len(table) == 1


def test_one_pod_can_be_watched_in_two_roles() -> None:
    """P-29: rotation may have a probe of its own."""
    table = EvidenceTable()
    health, rotation = add(table), add(table, ("uid-1", "rotation"), path="/lb")

    table.take(outcome(health, Code.OK) + outcome(rotation, Code.WRONG_STATUS))

    found = [table.get(("uid-1", role)) for role in ("health", "rotation")]
    assert [one.outcome for one in found if one is not None] == ["OK", "WrongStatus"]

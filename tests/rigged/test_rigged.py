"""Broken operators, each caught by the tests meant to catch it.

A proof that cannot fail proves nothing: every variant runs the very tests that guard its rule, in
a process of its own, and they must fail, by assertion, where they are expected to.
"""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORIES = "tests/simulation/test_stories.py"
NOTICES = "tests/simulation/test_notices.py"
ROLLOUTS = "tests/simulation/test_rollouts.py"
SILENCE = "tests/simulation/test_silence.py"
ROTATION = "tests/simulation/test_rotation.py"
VANTAGE = "tests/simulation/test_vantage.py"


class Rig(NamedTuple):
    """A variant, the test meant to catch it, and what its failure says."""

    variant: str
    test: str
    says: str


RIGS = [
    Rig(
        "superseded",
        "tests/core/test_inplace.py"
        "::test_what_changed_since_the_record_closes_the_entry_and_nothing_is_written",
        "RenewInstance(",
    ),
    Rig(
        "renewal",
        "tests/core/test_rollout_inplace.py"
        "::test_what_changed_since_the_record_is_not_written_over",
        "on a new record alone",
    ),
    Rig(
        "renewal_floor",
        "tests/simulation/test_rollouts_inplace.py"
        "::test_a_rollout_in_place_keeps_the_floor_and_every_pod",
        "are renewed at once; the batch is 4",
    ),
    Rig(
        "cap",
        f"{STORIES}::test_two_of_forty_are_repaired_at_a_time_until_all_are_healthy",
        "are under repair at once",
    ),
    Rig(
        "grace",
        f"{STORIES}::test_an_instance_that_breaks_at_once_is_left_alone_until_its_grace_ends",
        "inside its grace",
    ),
    Rig(
        "precondition",
        "tests/adapters/cluster/test_bodies.py::test_a_delete_names_the_pod_that_was_read",
        "preconditions",
    ),
    Rig(
        "blindness",
        f"{SILENCE}::test_forty_silent_instances_are_left_alone_however_long_it_lasts",
        "repaired",
    ),
    Rig(
        "arming",
        "tests/simulation/test_arming.py::test_a_wrong_probe_shipped_to_a_healthy_set_deletes_nothing",
        "was repaired under a probe that nobody ever answered",
    ),
    Rig(
        "budgets",
        "tests/simulation/test_budgets.py::test_a_budget_without_room_holds_every_repair_and_is_named",
        "against a budget without room",
    ),
    Rig(
        "shedding",
        f"{ROTATION}::test_ten_that_shed_load_leave_rotation_and_come_back_and_none_is_repaired",
        "repaired",
    ),
    Rig(
        "departure",
        f"{ROTATION}::test_whoever_deletes_an_instance_it_leaves_rotation_while_its_probe_still_says_200",
        "late",
    ),
    Rig(
        "veto",
        f"{VANTAGE}::test_a_path_that_is_cut_to_one_node_repairs_nobody_whom_the_other_prober_hears",
        "repaired",
    ),
    Rig(
        "slot_release",
        f"{STORIES}::test_two_of_forty_are_repaired_at_a_time_until_all_are_healthy",
        "are under repair at once",
    ),
    Rig(
        "surge",
        f"{ROLLOUTS}::test_a_surge_leaves_nobody_missing_at_any_moment",
        "the set is short",
    ),
    Rig(
        "notice_wait",
        f"{NOTICES}::test_ten_of_two_hundred_are_told_and_the_set_is_ten_more_for_a_while",
        "before its deadline",
    ),
    Rig(
        "notice_surplus",
        f"{NOTICES}::test_ten_of_two_hundred_are_told_and_the_set_is_ten_more_for_a_while",
        "200 == 210",
    ),
    Rig(
        "two_leaders",
        "tests/core/test_election_properties.py::test_two_candidates_never_both_believe_to_lead",
        "two lead at",
    ),
]


def run(rig: Rig, *, rigged: bool) -> subprocess.CompletedProcess[str]:
    """The meant test, with or without the variant."""
    plugin = ["-p", f"tests.rigged.variants.{rig.variant}"] if rigged else []
    command = [
        sys.executable,
        "-m",
        "pytest",
        *plugin,
        "-q",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        rig.test,
    ]
    path = {"PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("rig", RIGS, ids=lambda rig: rig.variant)
def test_a_rigged_variant_is_caught_by_the_test_meant_for_it(rig: Rig) -> None:
    """Rules 5, 8, 10 and 22: the guards bite."""
    caught = run(rig, rigged=True)
    assert caught.returncode == 1, caught.stdout + caught.stderr
    assert rig.says in caught.stdout
    assert run(rig, rigged=False).returncode == 0

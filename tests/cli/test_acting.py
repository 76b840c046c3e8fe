"""The commands that change something, end to end against the fake: patches, races, output."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaleset_operator.api.base import (
    ANNOTATION_REPAIR,
    ANNOTATION_RESUME_REQUESTED_AT,
    LABEL_NAME,
    LABEL_PROTECT_FROM_ACTIONS,
    LABEL_PROTECT_FROM_SCALE_IN,
    format_time,
)
from scaleset_operator.cli import carrying
from scaleset_operator.cli.acting import TRIES
from scaleset_operator.cli.kinds import CONTROLLER_REVISIONS, PODS, SCALE_SETS
from tests.cli.test_instance_wishes import OWNER
from tests.cli.test_rollout_wishes import revision
from tests.support.builders import raw_spec
from tests.support.fake_clock import T0
from tests.support.fake_plugin import FakeEntrance


@pytest.fixture
def entrance() -> FakeEntrance:
    """A set with two instances, and a history of two templates."""
    made = FakeEntrance()
    spec = raw_spec(replicas=2, template=revision(2, "web:2")["data"])
    made.add(
        SCALE_SETS,
        {
            "metadata": {"name": "web", "namespace": "default", "uid": "uid-web", "generation": 1},
            "spec": spec,
            "status": {"observedGeneration": 1},
        },
    )
    for number in (1, 2):
        pod = {"name": f"web-{number}", "namespace": "default", "uid": f"uid-{number}"}
        labels = {LABEL_NAME: "web"}
        made.add(PODS, {"metadata": {**pod, "labels": labels, "ownerReferences": [OWNER]}})
        kept = revision(number, f"web:{number}")
        meta = kept["metadata"] | {"namespace": "default", "labels": labels}
        made.add(CONTROLLER_REVISIONS, kept | {"metadata": meta})
    return made


def patched(entrance: FakeEntrance) -> list[dict[str, Any]]:
    """The bodies of the merges, without what fences them."""
    bodies = []
    for verb, _, body in entrance.writes:
        assert verb == "merge"
        metadata = dict(body["metadata"])
        assert metadata.pop("resourceVersion")
        assert metadata.pop("uid")
        bodies.append({**body, "metadata": metadata} if metadata else _without(body, "metadata"))
    return bodies


def _without(body: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != key}


@pytest.mark.parametrize("state", ["suspended", "running", "Suspended", "Running", "NotRunning"])
def test_a_state_is_refused_where_an_act_is_due(entrance: FakeEntrance, state: str) -> None:
    """R-38: Suspend and Resume are what can be done; nothing is written."""
    assert f"No such command '{state}'" in entrance.run("repairs", state, "web", code=2).stderr
    assert entrance.writes == []


def test_a_wish_is_one_line_of_what_was_and_what_is(entrance: FakeEntrance) -> None:
    said = entrance.run("repairs", "suspend", "web", "--reason", "drill").stdout
    assert said == ("scaleset/web repairs: was Running, is Suspended by User (drill)\n")
    again = entrance.run("repairs", "suspend", "web").stdout
    assert again == "scaleset/web repairs: is Suspended by User (drill), unchanged\n"
    assert len(entrance.writes) == 1


def test_data_says_the_same(entrance: FakeEntrance) -> None:
    said = json.loads(entrance.run("protect", "web-1", "web-2", "-o", "json").stdout)
    assert [(row["name"], row["was"], row["changed"]) for row in said["items"]] == [
        ("web-1", "none", True),
        ("web-2", "none", True),
    ]


def test_each_command_writes_its_own_fields_alone(entrance: FakeEntrance) -> None:
    """What others wrote stays."""
    entrance.run("repair", "web-1")
    entrance.run("protect", "web-1", "--scale-in")
    entrance.run("unprotect", "web-1")
    assert patched(entrance) == [
        {"metadata": {"annotations": {ANNOTATION_REPAIR: "requested"}}},
        {"metadata": {"labels": {LABEL_PROTECT_FROM_SCALE_IN: "true"}}},
        {"metadata": {"labels": {LABEL_PROTECT_FROM_SCALE_IN: None}}},
    ]
    labels = entrance.stored(PODS, "default", "web-1")["metadata"]["labels"]
    assert labels == {LABEL_NAME: "web"}


def test_an_object_that_somebody_else_wrote_is_decided_on_anew(entrance: FakeEntrance) -> None:
    """Between read and patch another person suspends: there is nothing left to do."""
    fields = raw_spec(replicas=2, policy={"serviceState": "Suspended"})
    body = {**entrance.stored(SCALE_SETS, "default", "web"), "spec": fields}

    def quicker() -> None:
        entrance.meanwhile = lambda: None
        entrance.add(SCALE_SETS, body)

    entrance.meanwhile = quicker
    said = entrance.run("repairs", "suspend", "web").stdout
    assert said == "scaleset/web repairs: is Suspended by User, unchanged\n"
    assert entrance.writes == []


def test_an_object_that_is_written_all_the_time_is_given_up(entrance: FakeEntrance) -> None:
    reads = []

    def quicker() -> None:
        reads.append(1)
        entrance.add(PODS, entrance.stored(PODS, "default", "web-1"))

    entrance.meanwhile = quicker
    said = entrance.run("repair", "web-1", code=1).stderr
    assert f"tried {TRIES} times" in said
    assert len(reads) == TRIES


def test_one_that_is_refused_stops_no_other(entrance: FakeEntrance) -> None:
    result = entrance.run("protect", "web-1", "gone", "web-2", code=1)
    assert result.stdout.count("is from scale set actions") == 2
    assert result.stderr == "error: no Pod gone in namespace default\n"


def test_protections_of_two_kinds_exclude_each_other(entrance: FakeEntrance) -> None:
    said = entrance.run("protect", "web-1", "--scale-in", "--all", code=1).stderr
    assert "--scale-in and --all" in said


def test_all_protections_are_given_and_taken(entrance: FakeEntrance) -> None:
    entrance.run("protect", "web-1", "--all")
    held = entrance.stored(PODS, "default", "web-1")["metadata"]["labels"]
    assert held.keys() == {LABEL_NAME, LABEL_PROTECT_FROM_SCALE_IN, LABEL_PROTECT_FROM_ACTIONS}
    entrance.run("unprotect", "web-1", "--all")
    assert entrance.stored(PODS, "default", "web-1")["metadata"]["labels"].keys() == {LABEL_NAME}


# --- Consent -----------------------------------------------------------------------------------


@pytest.fixture
def suspended(entrance: FakeEntrance) -> FakeEntrance:
    """The same, its repairs suspended by the platform."""
    repairs = {"suspendedSince": format_time(T0), "suspendedCause": "web:3 never became healthy"}
    body = entrance.stored(SCALE_SETS, "default", "web")
    entrance.add(SCALE_SETS, {**body, "status": {"observedGeneration": 1, "repairs": repairs}})
    return entrance


def test_nobody_at_the_terminal_resumes_nothing(suspended: FakeEntrance) -> None:
    """The cause is shown, and a script must say --yes."""
    said = suspended.run("repairs", "resume", "web", code=1).stderr
    assert "web:3 never became healthy" in said
    assert "--yes" in said
    assert suspended.writes == []


@pytest.mark.parametrize(("answer", "writes"), [(True, 1), (False, 0)])
def test_a_person_is_asked(
    suspended: FakeEntrance, monkeypatch: pytest.MonkeyPatch, *, answer: bool, writes: int
) -> None:
    """R-44."""
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    monkeypatch.setattr(carrying, "somebody_is_there", lambda: True)
    monkeypatch.setattr("typer.confirm", confirm)
    result = suspended.run("repairs", "resume", "web", code=0 if answer else 1)
    assert "web:3 never became healthy. Resume anyway?" in asked[0]
    assert len(suspended.writes) == writes
    if not answer:
        assert result.stderr == "error: nothing was changed\n"


def test_yes_says_it_beforehand(suspended: FakeEntrance) -> None:
    said = suspended.run("repairs", "resume", "web", "--yes").stdout
    assert "to be resumed as asked" in said
    held = suspended.stored(SCALE_SETS, "default", "web")["metadata"]["annotations"]
    assert held.keys() == {ANNOTATION_RESUME_REQUESTED_AT}


# --- Rollouts ----------------------------------------------------------------------------------


def test_undo_replaces_the_whole_template_on_the_version_read(entrance: FakeEntrance) -> None:
    said = entrance.run("rollout", "undo", "web").stdout
    assert "is at revision 1" in said
    ((verb, _, operations),) = entrance.writes
    assert verb == "edit"
    assert [operation["path"] for operation in operations] == [
        "/metadata/resourceVersion",
        "/spec/template",
    ]


def test_undo_is_decided_anew_when_the_set_changed(entrance: FakeEntrance) -> None:
    body = entrance.stored(SCALE_SETS, "default", "web")
    older = {**body, "spec": body["spec"] | {"template": revision(1, "web:1")["data"]}}

    def quicker() -> None:
        entrance.meanwhile = lambda: None
        entrance.add(SCALE_SETS, older)

    entrance.meanwhile = quicker
    said = entrance.run("rollout", "undo", "web", "--to-revision", "1").stdout
    assert "unchanged" in said
    assert entrance.writes == []


def test_the_history_marks_the_present_template(entrance: FakeEntrance) -> None:
    lines = entrance.run("rollout", "history", "web").stdout.splitlines()
    assert lines[0].split() == ["REVISION", "MODEL", "CREATED", "PRESENT"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert lines[2].rstrip().endswith("*")
    data = json.loads(entrance.run("rollout", "history", "web", "-o", "json").stdout)
    assert [row["present"] for row in data["items"]] == [False, True]


def test_a_rollout_that_is_not_over_has_its_own_exit_code(entrance: FakeEntrance) -> None:
    said = entrance.run("rollout", "status", "web", code=2).stdout
    assert said.startswith("scaleset/web rollout: 0 of 2 on the latest model")
    assert (
        json.loads(entrance.run("rollout", "status", "web", "-o", "json", code=2).stdout)[
            "finished"
        ]
        is False
    )


def test_a_restart_is_one_field_of_the_template(entrance: FakeEntrance) -> None:
    entrance.run("rollout", "restart", "web")
    stored = entrance.stored(SCALE_SETS, "default", "web")["spec"]["template"]
    assert stored["spec"] == revision(2, "web:2")["data"]["spec"]
    assert stored["metadata"]["annotations"].keys() == {"kubectl.kubernetes.io/restartedAt"}


def test_what_an_annotation_holds_does_not_drive_the_terminal(entrance: FakeEntrance) -> None:
    said = entrance.run("repairs", "suspend", "web", "--reason", "a\x1b[2Jb\nc").stdout
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_a_right_that_is_missing_is_named(entrance: FakeEntrance) -> None:
    entrance.forbidden = {"pods"}
    said = entrance.run("repair", "web-1", code=1).stderr
    assert said.startswith("error: you may not get pods in namespace default")

"""Pauses that are asked for on pods: once each, ended in time, and answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.agent.cgroups import CgroupError
from scaleset_operator.agent.members import Member, member_of
from scaleset_operator.agent.pausedesk import PauseDesk
from scaleset_operator.agent.podgroups import group_of
from scaleset_operator.api.agentreport import PauseState
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from tests.agent.nodes import pod

if TYPE_CHECKING:
    from pathlib import Path

T0 = datetime(2026, 11, 28, 8, tzinfo=UTC)
UID = "00000001-1111-2222-3333-444444444444"


class Freezers:
    """A freezer that does what the test says, and counts."""

    def __init__(self) -> None:
        self.still: set[str] = set()
        self.frozen: list[tuple[str, float]] = []
        self.objection: str | None = None
        self.stuck = False

    def freeze(self, name: str, group: Path, seconds: float) -> str | None:
        assert group.name
        if self.objection is None:
            self.still.add(name)
            self.frozen.append((name, seconds))
        return self.objection

    def thaw(self, name: str) -> bool:
        if self.stuck:
            raise CgroupError(name)
        self.still.discard(name)
        return True

    def sweep(self) -> list[str]:
        if self.stuck:
            message = "it may be frozen still"
            raise CgroupError(message)
        return []

    def paused(self) -> list[str]:
        return sorted(self.still)


class Desk:
    """A desk on a fake freezer and clock."""

    def __init__(self, folder: Path) -> None:
        self.freezer = Freezers()
        self.folder = folder
        self.now = T0
        self.group: Path | None = folder
        self.start_again()

    def start_again(self) -> None:
        self.desk = PauseDesk(self.freezer, self.folder, lambda _: self.group, lambda: self.now)

    def look(self, *members: Member) -> tuple[PauseState, str] | None:
        self.desk.look(members)
        answer = self.desk.answers().get(UID)
        return None if answer is None else (answer.state, answer.message)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "state")


def asked(request_id: str = "r1", *, within: int = 60, **changes: Any) -> Member:
    request = PauseRequest(id=request_id, deadline=T0 + timedelta(seconds=within), seconds=30)
    body = pod(1, annotations={ANNOTATION_PAUSE: request.text()}, **changes)
    found = member_of(body)
    assert found is not None
    return found


def quiet() -> Member:
    found = member_of(pod(1))
    assert found is not None
    return found


def test_a_request_is_carried_out_once_and_answered_until_it_is_taken_away(desk: Desk) -> None:
    """M-02."""
    assert desk.look(asked()) == (PauseState.PAUSED, "")
    assert desk.desk.answers()[UID].until == T0 + timedelta(seconds=30)
    assert desk.look(asked()) == (PauseState.PAUSED, "")
    assert desk.freezer.frozen == [(UID, 30)]
    desk.freezer.still.clear()
    desk.now += timedelta(seconds=30)
    assert desk.look(asked()) == (PauseState.THAWED, "")
    assert desk.look(asked()) == (PauseState.THAWED, "")
    assert desk.freezer.frozen == [(UID, 30)], "not a second time"
    assert desk.look(quiet()) is None


def test_nothing_is_said_to_stand_still_before_it_does(desk: Desk) -> None:
    """Who reads the answer counts on it; freezing may take seconds."""
    told: list[object] = []
    freeze = desk.freezer.freeze

    def slow(name: str, group: Path, seconds: float) -> str | None:
        told.append(desk.desk.answers().get(UID))
        return freeze(name, group, seconds)

    desk.freezer.freeze = slow  # type: ignore[method-assign] # what is told meanwhile is asked
    desk.look(asked())
    assert told == [None]
    assert desk.desk.answers()[UID].state is PauseState.PAUSED


def test_a_second_request_is_another_pause(desk: Desk) -> None:
    desk.look(asked())
    desk.freezer.still.clear()
    desk.now += timedelta(seconds=30)
    assert desk.look(asked("r2")) == (PauseState.PAUSED, "")
    assert len(desk.freezer.frozen) == 2


def test_a_second_request_during_a_pause_is_refused(desk: Desk) -> None:
    desk.look(asked())
    said = desk.look(asked("r2"))
    assert said == (PauseState.REFUSED, "shop/web-1 is paused already, by another request")
    assert desk.freezer.still == {UID}


def test_an_agent_that_starts_again_neither_forgets_nor_repeats(desk: Desk) -> None:
    """Also where the pause ended meanwhile (M-02)."""
    desk.look(asked())
    desk.start_again()
    assert desk.look(asked()) == (PauseState.PAUSED, "")
    desk.freezer.still.clear()
    desk.now += timedelta(seconds=30)
    desk.start_again()
    assert desk.look(asked()) == (PauseState.THAWED, "")
    assert desk.freezer.frozen == [(UID, 30)]


def test_a_pause_that_ends_too_early_is_told_as_failed(desk: Desk) -> None:
    desk.look(asked())
    desk.freezer.still.clear()
    desk.now += timedelta(seconds=5)
    assert desk.look(asked()) == (PauseState.FAILED, "it was thawed before its time")


def test_a_request_that_is_taken_away_ends_the_pause(desk: Desk) -> None:
    desk.look(asked())
    assert desk.look(quiet()) is None
    assert desk.freezer.still == set()


def test_a_pod_that_is_deleted_is_thawed_for_what_stands_still_cannot_end(desk: Desk) -> None:
    desk.look(asked())
    desk.look(asked(deletionTimestamp="2026-11-28T08:00:01Z"))
    assert desk.freezer.still == set()


def test_a_pod_that_is_gone_leaves_no_pause(desk: Desk) -> None:
    desk.look(asked())
    assert desk.look() is None
    assert desk.freezer.still == set()


@pytest.mark.parametrize(
    ("member", "why"),
    [
        (asked(within=-1), "it is later than 2026-11-28T07:59:59Z by the node's clock"),
        (asked(labels={}), "shop/web-1 is no instance of a ScaleSet"),
        (asked(deletionTimestamp="2026-11-28T08:00:01Z"), "shop/web-1 is being deleted"),
    ],
)
def test_what_is_not_to_be_paused_is_refused_with_the_reason(
    desk: Desk, member: Member, why: str
) -> None:
    assert desk.look(member) == (PauseState.REFUSED, why)
    assert desk.freezer.frozen == []


def test_without_a_control_group_nothing_is_paused(desk: Desk) -> None:
    desk.group = None
    why = "no control group of shop/web-1 was found on the node"
    assert desk.look(asked()) == (PauseState.REFUSED, why)


def test_what_the_freezer_refuses_is_answered(desk: Desk) -> None:
    desk.freezer.objection = "no guard could be started"
    assert desk.look(asked()) == (PauseState.REFUSED, "no guard could be started")


def test_a_request_that_cannot_be_read_is_answered_with_what_is_wrong(desk: Desk) -> None:
    found = member_of(pod(1, annotations={ANNOTATION_PAUSE: '{"id": "r1", "seconds": 0}'}))
    assert found is not None
    said = desk.look(found)
    assert said is not None
    assert said[0] is PauseState.REFUSED
    assert "seconds: Input should be greater than or equal to 1" in said[1]


def test_nothing_is_frozen_that_could_be_forgotten(desk: Desk) -> None:
    """An answer that cannot be written down keeps the pause from beginning."""
    desk.folder.write_text("a file where the folder should be", encoding="ascii")
    said = desk.look(asked())
    assert said == (PauseState.REFUSED, "the answer could not be written down on the node")
    assert desk.freezer.frozen == []


def test_a_freezer_in_trouble_does_not_end_the_agent(desk: Desk) -> None:
    desk.look(asked())
    desk.freezer.stuck = True
    desk.desk.sweep()
    desk.desk.thaw_all()
    desk.look(quiet())
    assert desk.freezer.still == {UID}, "and it is tried again"
    desk.freezer.stuck = False
    desk.look(quiet())
    assert desk.freezer.still == set()


UNDERSCORED = UID.replace("-", "_")


@pytest.mark.parametrize(
    "where",
    [
        f"freezer/kubepods/burstable/pod{UID}",
        f"kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UNDERSCORED}.slice",
        f"freezer/docker/c0ffee/kubelet.slice/kubelet-pods.slice/kubelet-pod{UNDERSCORED}.slice",
    ],
    ids=["v1-cgroupfs", "v2-systemd", "v1-in-a-container"],
)
def test_the_control_group_of_a_pod_is_found_by_its_uid(tmp_path: Path, where: str) -> None:
    wanted = tmp_path / where
    (wanted / "cri-containerd-abc.scope").mkdir(parents=True)
    other = wanted.with_name(wanted.name.replace("00000001", "00000002"))
    other.mkdir()
    assert group_of(tmp_path, UID) == wanted
    assert group_of(tmp_path, UID.replace("00000001", "00000003")) is None


@pytest.mark.parametrize(("failures", "stands"), [(3, False), (4, True)])
def test_one_that_kubelet_would_kill_meanwhile_is_never_frozen(
    desk: Desk,
    failures: int,
    stands: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """M-03: whoever asked; 30 s survive four failures at ten seconds, and not three."""
    probe = {"periodSeconds": 10, "failureThreshold": failures}
    request = PauseRequest(id="r1", deadline=T0 + timedelta(seconds=60), seconds=30)
    body = pod(1, annotations={ANNOTATION_PAUSE: request.text()})
    body["spec"] = {"containers": [{"name": "web", "livenessProbe": probe}]}
    member = member_of(body)
    assert member is not None
    told = desk.look(member)
    assert told is not None
    assert bool(desk.freezer.frozen) is stands
    if not stands:
        assert told[0] is PauseState.REFUSED
        assert told[1].startswith("LivenessProbeTooShort: kubelet may kill container 'web'")

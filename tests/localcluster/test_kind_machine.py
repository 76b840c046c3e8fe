"""Which way to a kind cluster is taken, by what a machine can do. Nothing is run or pulled here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from localcluster.commands import CommandError
from localcluster.kind import machine
from localcluster.kind.machine import ImpossibleError, Machine, Restrictions
from localcluster.kind.programs import NODE_IMAGE
from tests.localcluster.pretended import Pretended

if TYPE_CHECKING:
    from pathlib import Path

NOTHING_LACKS = Restrictions(no_sys_resource=False, cgroup_v1=False)
ORDINARY = Machine(engine=None, image=None, root=False, missing=(), restrictions=NOTHING_LACKS)
ALONE = dataclasses.replace(ORDINARY, engine="no daemon", image="no daemon", root=True)

NO_IMAGE = CommandError("docker image inspect failed:\nNo such image")
NO_PULL = CommandError("docker pull failed:\nusing tag\nlookup of the registry: no such host")


def test_docker_with_the_node_image_is_the_ordinary_way_whatever_the_kernel_is_like() -> None:
    old = dataclasses.replace(
        ORDINARY, restrictions=Restrictions(no_sys_resource=True, cgroup_v1=True)
    )
    assert machine.choose(ORDINARY) is None
    assert machine.choose(old) is None


@pytest.mark.parametrize("engine", [None, "no daemon"])
@pytest.mark.parametrize("cgroup_v1", [True, False])
@pytest.mark.parametrize("no_sys_resource", [True, False])
def test_without_it_root_works_around_exactly_what_is_lacking(
    *, engine: str | None, cgroup_v1: bool, no_sys_resource: bool
) -> None:
    lacking = Restrictions(no_sys_resource=no_sys_resource, cgroup_v1=cgroup_v1)
    found = dataclasses.replace(ALONE, engine=engine, restrictions=lacking)
    assert machine.choose(found) == lacking


def test_who_is_not_root_is_told_why_docker_is_no_help_and_what_is() -> None:
    with pytest.raises(ImpossibleError, match=r"(?s)no daemon.*install Docker.*as root"):
        machine.choose(dataclasses.replace(ALONE, root=False))
    offline = dataclasses.replace(ORDINARY, image="no such host")
    with pytest.raises(ImpossibleError, match=r"node image cannot be had: no such host"):
        machine.choose(offline)


def test_root_is_told_which_packages_to_install() -> None:
    found = dataclasses.replace(ALONE, missing=("debootstrap", "docker.io"))
    with pytest.raises(ImpossibleError, match=r"apt-get install debootstrap docker\.io$"):
        machine.choose(found)


def test_root_without_rights_of_its_own_is_told_which_it_lacks(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("CapBnd:\t00000000a80425fb\n")  # What Docker gives a container.
    lacking = machine.forbidden(status)
    assert lacking == ("CAP_SYS_ADMIN", "CAP_NET_ADMIN")
    with pytest.raises(ImpossibleError, match="takes CAP_SYS_ADMIN, CAP_NET_ADMIN, which root"):
        machine.choose(dataclasses.replace(ALONE, forbidden=lacking))
    assert machine.choose(dataclasses.replace(ORDINARY, forbidden=lacking)) is None


def test_with_the_image_there_nothing_is_pulled() -> None:
    run = Pretended()
    found = machine.look(run)
    assert (found.engine, found.image) == (None, None)
    assert run.ran == ["docker info", f"docker image inspect {NODE_IMAGE}"]


def test_an_image_that_is_not_there_is_pulled() -> None:
    run = Pretended({"docker image inspect": NO_IMAGE})
    assert machine.look(run).image is None
    assert run.ran[-1] == f"docker pull {NODE_IMAGE}"


def test_what_docker_said_last_is_the_reason() -> None:
    run = Pretended({"docker image inspect": NO_IMAGE, "docker pull": NO_PULL})
    assert machine.look(run).image == "lookup of the registry: no such host"


def test_without_an_engine_no_image_is_asked_for() -> None:
    run = Pretended({"docker info": CommandError("docker info failed:\nno daemon")})
    found = machine.look(run)
    assert (found.engine, found.image) == ("no daemon", "no daemon")
    assert run.ran == ["docker info"]


def test_the_packages_of_absent_programs_are_named(tmp_path: Path) -> None:
    for name in ("docker", "dockerd"):
        (tmp_path / name).touch(mode=0o755)
    assert machine.missing_packages(Pretended(path=str(tmp_path))) == ("debootstrap", "iproute2")


@pytest.mark.parametrize(
    ("mask", "lacks"), [("000001ffffffffff", False), ("000001fffeffffff", True)]
)
def test_the_right_to_raise_limits_is_read_from_the_bounding_set(
    tmp_path: Path, mask: str, *, lacks: bool
) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tsh\nCapEff:\t0000000000000000\nCapBnd:\t{mask}\n")
    assert machine.restrictions(status, tmp_path).no_sys_resource is lacks


def test_cgroups_of_version_2_are_known_by_their_list_of_controllers(tmp_path: Path) -> None:
    status = tmp_path / "status"
    status.write_text("CapBnd:\t000001ffffffffff\n")
    assert machine.restrictions(status, tmp_path).cgroup_v1
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cgroup.controllers").touch()
    assert not machine.restrictions(status, tmp_path).cgroup_v1

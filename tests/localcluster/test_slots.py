"""Clusters get folders, addresses and ports nobody else has."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import socket
from typing import TYPE_CHECKING

import pytest

from localcluster import slots

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("temp_root")
def test_two_clusters_share_neither_folder_nor_addresses() -> None:
    with contextlib.closing(slots.take()) as one, contextlib.closing(slots.take()) as two:
        assert one.folder != two.folder
        blocks = [ipaddress.IPv4Network(slot.pod_cidr) for slot in (one, two)]
        assert not blocks[0].overlaps(blocks[1])
        assert all(block.subnet_of(ipaddress.IPv4Network("127.16.0.0/12")) for block in blocks)


@pytest.mark.usefixtures("temp_root")
def test_a_slot_is_given_again_once_it_is_let_go() -> None:
    with contextlib.closing(slots.take()) as slot:
        number = slot.number
    with contextlib.closing(slots.take()) as slot:
        assert slot.number == number


@pytest.mark.usefixtures("temp_root")
def test_what_a_killed_supervisor_left_behind_is_cleared_away() -> None:
    with contextlib.closing(slots.take()) as slot:
        (slot.folder / "left").touch()
    with contextlib.closing(slots.take()) as slot:
        assert list(slot.folder.iterdir()) == []


@pytest.mark.usefixtures("temp_root")
def test_when_every_slot_is_taken_the_message_says_how_to_see_them() -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(slots.SLOTS):
            stack.enter_context(contextlib.closing(slots.take()))
        with pytest.raises(slots.NoSlotError, match="localcluster status"):
            slots.take()


@pytest.mark.usefixtures("temp_root")
def test_only_clusters_that_live_are_shown() -> None:
    with contextlib.closing(slots.take()) as slot:
        slot.write_state({"name": "mine"})
        assert slots.taken() == [{"name": "mine"}]
    assert slots.taken() == []


@pytest.mark.usefixtures("temp_root")
def test_a_state_that_is_not_whole_is_not_shown() -> None:
    with contextlib.closing(slots.take()) as slot:
        (slot.folder / "state.json").write_text(json.dumps({"name": "mine"})[:-3])
        assert slots.taken() == []


def test_nobody_else_can_read_the_folder(temp_root: Path) -> None:
    assert slots.root().parent == temp_root
    assert slots.root().stat().st_mode & 0o077 == 0


def test_free_ports_differ_and_can_be_bound() -> None:
    ports = slots.free_ports(20)
    assert len(set(ports)) == 20
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", ports[0]))

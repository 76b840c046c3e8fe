"""Pods by address: what the cache holds and nothing else, whatever came in which order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.adapters.cluster.addressbook import spelled
from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.reconciler.ports import Key
from tests.adapters.cluster.objects import pod

NUMBERS = range(1, 4)
ADDRESSES = ("127.16.0.1", "127.16.0.2", "fd00:0::1", None)


def cache() -> PodCache:
    return PodCache(lambda _: None)


def names_at(found: PodCache, address: str) -> set[str]:
    return {record.key.name for record in found.at(address)}


def moved(number: int, version: int, address: str | None) -> dict[str, Any]:
    return pod(number, version, status={"podIP": address} if address else {"podIP": ""})


def test_a_pod_is_found_by_its_address_and_no_more_once_it_is_gone() -> None:
    found = cache()
    assert found.at("127.16.0.1") == ()
    found.put(pod(1, 10))
    assert names_at(found, "127.16.0.1") == {"web-1"}
    found.drop(pod(1, 11))
    assert found.at("127.16.0.1") == ()


def test_two_that_claim_one_address_are_both_told() -> None:
    """The old one is not known to be gone yet; or they share their node's."""
    found = cache()
    found.put(pod(1, 10))
    found.put(pod(2, 11, spec={"hostNetwork": True}))
    assert names_at(found, "127.16.0.1") == {"web-1", "web-2"}
    assert {r.key.name: r.instance.on_host for r in found.at("127.16.0.1")} == {
        "web-1": False,
        "web-2": True,
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(NUMBERS), st.sampled_from(ADDRESSES), st.booleans()), max_size=15
    )
)
def test_the_book_is_what_the_records_say(steps: list[tuple[int, str | None, bool]]) -> None:
    """Pods come, move and go: each is at its address alone, and nobody else is there."""
    found = cache()
    for version, (number, address, goes) in enumerate(steps, start=10):
        change = moved(number, version, address)
        (found.drop if goes else found.put)(change)
        records = [r for n in NUMBERS if (r := found.known(Key("default", f"web-{n}"))) is not None]
        for one in filter(None, ADDRESSES):
            place = spelled(one)
            there = {r.key for r in records if r.instance.ip and spelled(r.instance.ip) == place}
            assert {r.key for r in found.at(place)} == there
            assert all(r in records for r in found.at(place))


@pytest.mark.parametrize(
    ("address", "one"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("::FFFF:0a00:0007", "10.0.0.7"),
        ("fd00:0:0::7", "fd00::7"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_has_one_spelling(address: str, one: str) -> None:
    assert spelled(address) == one


@pytest.mark.parametrize("text", ["", "web-1", "10.0.0", "10.0.0.7:80", "010.0.0.7", ":::"])
def test_what_is_no_address_has_none(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        spelled(text)


def test_an_address_that_cannot_be_read_is_left_out_and_its_pod_is_not() -> None:
    found = cache()
    found.put(pod(1, 10, status={"podIP": "nonsense::::"}))
    assert found.known(Key("default", "web-1")) is not None
    assert found.at("nonsense::::") == ()

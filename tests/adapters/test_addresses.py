"""Where the API server is, and where we are reached."""

import pytest

from scaleset_operator.adapters.addresses import address_of, own_address


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("https://127.0.0.1:6443", ("127.0.0.1", 6443)),
        ("https://127.0.0.1", ("127.0.0.1", 443)),
        ("http://127.0.0.1", ("127.0.0.1", 80)),
        ("https://[::1]:6443", ("::1", 6443)),
    ],
)
async def test_the_address_behind_a_url(server: str, found: tuple[str, int]) -> None:
    assert await address_of(server) == found


@pytest.mark.parametrize(
    ("given", "towards", "ours"),
    [
        ("", ("127.0.0.1", 6443), "127.0.0.1:8081"),
        ("192.0.2.7", ("127.0.0.1", 6443), "192.0.2.7:8081"),
        ("2001:db8::7", ("127.0.0.1", 6443), "[2001:db8::7]:8081"),
    ],
)
def test_our_own_address_is_the_one_given_or_that_of_the_way_to_the_api_server(
    given: str, towards: tuple[str, int], ours: str
) -> None:
    assert own_address(given, 8081, towards) == ours

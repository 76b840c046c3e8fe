"""Scripts are read strictly, and the closest one holds for an address."""

from __future__ import annotations

import pytest

from localcluster.responder.scripts import OK, Script, ScriptTable


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("ok", Script("ok")),
        ("status:503", Script("status", 503)),
        ("redirect", Script("redirect", 302)),
        ("redirect:301", Script("redirect", 301)),
        ("slow:2.5", Script("slow", 2.5)),
        ("body:10000000", Script("body", 10_000_000)),
        ("flap:10 any-path", Script("flap", 10, any_path=True)),
        ("ok lb:503", Script("ok", lb_status=503)),
    ],
)
def test_a_script_is_read_as_typed(text: str, script: Script) -> None:
    assert Script.parse(text) == script


@pytest.mark.parametrize(
    "text",
    [
        "",
        "any-path",
        "sleep",
        "status",
        "status:99",
        "status:x",
        "ok:1",
        "slow:-1",
        "ok ok",
        "ok lb",
        "ok lb:503 lb:500",
        "flap:0",
    ],
)
def test_a_malformed_script_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Script.parse(text)


def test_an_address_of_its_own_beats_a_long_prefix_beats_a_short_one_beats_the_default() -> None:
    table = ScriptTable()
    for target, text in (
        ("default", "status:500"),
        ("127.16.0.0/16", "hang"),
        ("127.16.4.0/24", "close"),
        ("127.16.4.9", "refuse"),
    ):
        table.set(target, Script.parse(text))
    verbs = [table.of(address).verb for address in ("127.16.4.9", "127.16.4.8", "127.16.9.9")]
    assert verbs == ["refuse", "close", "hang"]
    assert table.of("127.17.0.1") == Script("status", 500)


def test_a_change_holds_at_once_also_for_an_address_seen_before() -> None:
    table = ScriptTable()
    assert table.of("127.16.0.1") == OK
    table.set("127.16.0.0/24", Script("hang"))
    assert table.of("127.16.0.1") == Script("hang")
    table.set("127.16.0.1", Script("close"))
    assert table.of("127.16.0.1") == Script("close")
    table.set("127.16.0.1", None)
    table.set("127.16.0.0/24", None)
    assert table.of("127.16.0.1") == OK


@pytest.mark.parametrize("target", ["", "everything", "127.16.0.0/33", "127.16.0.1/24", "::1"])
def test_a_malformed_target_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScriptTable().set(target, OK)

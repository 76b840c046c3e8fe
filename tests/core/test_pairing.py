"""Two windows are a pair when each names the other, and nobody else has a part in it."""

from __future__ import annotations

from typing import Any

import pytest

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.pairing import objection, partner_of
from tests.api.manifests import WINDOW, manifest


def window(
    name: str, paired_with: dict[str, str] | None, namespace: str = "shop"
) -> MaintenanceWindow:
    body: dict[str, Any] = manifest(WINDOW)
    body["metadata"] = {"namespace": namespace, "name": name}
    body["spec"].pop("pairedWith", None)
    if paired_with is not None:
        body["spec"]["pairedWith"] = paired_with
    return MaintenanceWindow.model_validate(body)


def test_a_window_without_a_pair_has_nothing_to_object_to() -> None:
    alone = window("east", None)
    assert partner_of(alone) is None
    assert objection(alone, None) is None


def test_two_that_name_each_other_are_a_pair() -> None:
    """M-18: within one namespace, and across two."""
    east, west = window("east", {"name": "west"}), window("west", {"name": "east"})
    assert partner_of(east) == ("shop", "west")
    assert objection(east, west) is None
    assert objection(west, east) is None
    here = window("east", {"name": "east", "namespace": "shop-dr"})
    there = window("east", {"name": "east", "namespace": "shop"}, "shop-dr")
    assert partner_of(here) == ("shop-dr", "east")
    assert objection(here, there) is None
    assert objection(there, here) is None


@pytest.mark.parametrize(
    ("named", "partner", "said"),
    [
        ("shop/east", window("east", None), "that is this window; allowed is another one"),
        ("shop/west", None, "no such window can be seen; allowed is one that names shop/east"),
        (
            "shop/west",
            window("west", None),
            "that one is not paired; its spec.pairedWith must name shop/east",
        ),
        (
            "shop/west",
            window("west", {"name": "north"}),
            "that one is paired with shop/north, and a pair has two members",
        ),
        (
            "shop/west",
            window("west", {"name": "east", "namespace": "bank"}),
            "that one is paired with bank/east, and a pair has two members",
        ),
    ],
)
def test_what_is_no_pair_is_refused_with_what_is_allowed(
    named: str, partner: MaintenanceWindow | None, said: str
) -> None:
    """M-18: one-sided, with itself, with a third."""
    namespace, name = named.split("/")
    east = window("east", {"namespace": namespace, "name": name})
    assert objection(east, partner) == f"spec.pairedWith is {named!r}: {said}"

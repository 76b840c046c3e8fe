"""Who is woken by what is heard of the custom resources."""

from typing import Any

import pytest

from scaleset_operator.reconciler.ear import Ear
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import Resources
from tests.api.manifests import WINDOW, manifest
from tests.simulation.world import probe_spec, set_spec

WEB, API, PROBE = Key("shop", "web"), Key("shop", "api"), Key("shop", "web-http")
PATCH = Key("shop", "patch")
ELSEWHERE = Key("bank", "web")
OUT, FAR_OUT = Key("shop", "web-out"), Key("shop", "api-out")


def body(key: Key, kind: str, spec: dict[str, Any], generation: int = 1) -> dict[str, Any]:
    meta = {
        "namespace": key.namespace,
        "name": key.name,
        "uid": f"{kind}-{key.name}",
        "resourceVersion": str(generation),
        "generation": generation,
        "creationTimestamp": "2026-11-21T08:00:00Z",
    }
    return {"kind": kind, "metadata": meta, "spec": spec}


class Heard:
    """An ear, and whom it has woken."""

    def __init__(self) -> None:
        self.resources = Resources()
        self.woken: list[Key] = []
        self.probes: list[Key] = []
        self.windows: list[Key] = []
        self.rules: list[Key] = []
        self.versions: list[Key] = []
        tell = (self.woken, self.probes, self.windows, self.rules)
        self.ear = Ear(self.resources, *(told.append for told in tell))

    def of_set(
        self, key: Key, generation: int = 1, *, gone: bool = False, tier: str = ""
    ) -> set[Key]:
        self.woken.clear()
        said = body(key, "ScaleSet", set_spec(3), generation)
        said["metadata"]["labels"] = {"tier": tier} if tier else {}
        self.ear.heard_of_set(key, gone=gone, body=said)
        return set(self.woken)

    def of_probe(self, *, gone: bool = False) -> set[Key]:
        self.woken.clear()
        self.ear.heard_of_probe(PROBE, gone=gone, body=body(PROBE, "HealthProbe", probe_spec()))
        return set(self.woken)

    def of_window(self, spec: dict[str, Any], *, gone: bool = False) -> list[Key]:
        self.woken.clear()
        self.windows.clear()
        self.ear.heard_of_window(PATCH, gone=gone, body=body(PATCH, "MaintenanceWindow", spec))
        assert self.woken == [], "no set's turn depends on a window"
        return self.windows.copy()

    def of_rule(self, key: Key, tier: str, *, address: str = "192.0.2.10") -> set[Key]:
        """The rules that look again; the sets that do stand in `woken`."""
        self.woken.clear()
        self.rules.clear()
        chosen = {"matchLabels": {"tier": tier}}
        said = body(key, "OutboundRule", {"scaleSetSelector": chosen, "frontendIPs": [address]})
        said["metadata"]["resourceVersion"] = str(len(self.versions) + 1)
        self.versions.append(key)
        self.ear.heard_of_rule(key, gone=False, body=said)
        return set(self.rules)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_set_that_changes_wakes_itself_and_those_it_may_overlap_with(heard: Heard) -> None:
    heard.of_set(ELSEWHERE)
    assert heard.of_set(WEB) == {WEB}
    assert heard.of_set(API) == {API, WEB}
    assert heard.of_set(WEB, generation=2) == {WEB, API}


def test_a_status_that_is_written_wakes_nobody_else(heard: Heard) -> None:
    heard.of_set(API)
    heard.of_set(WEB)
    assert heard.of_set(WEB) == {WEB}


def test_a_probe_that_comes_changes_or_goes_wakes_every_set_that_names_it(heard: Heard) -> None:
    """P-22, P-25."""
    heard.of_set(WEB)
    heard.of_set(API)
    heard.of_set(ELSEWHERE)
    assert heard.of_probe() == {WEB, API}
    assert heard.probes == [PROBE]
    assert heard.of_probe(gone=True) == {WEB, API}
    assert heard.resources.probe_keys() == ()


def test_a_window_that_comes_or_changes_is_looked_at_and_one_that_goes_is_forgotten(
    heard: Heard, caplog: pytest.LogCaptureFixture
) -> None:
    spec = manifest(WINDOW)["spec"]
    assert heard.of_window(spec) == [PATCH]
    assert heard.resources.window_keys() == (PATCH,)
    assert heard.of_window(spec, gone=True) == []
    assert heard.resources.window_keys() == ()
    heard.of_window(spec | {"impact": "Reboot"})
    assert heard.resources.unreadable_keys() == (PATCH,)
    assert "MaintenanceWindow shop/patch cannot be read" in caplog.text
    heard.of_window(spec, gone=True)
    assert heard.resources.unreadable_keys() == ()


def test_a_window_wakes_those_that_say_they_are_paired_with_it(heard: Heard) -> None:
    """M-18: whether they are depends on it."""
    spec = manifest(WINDOW)["spec"]
    other = Key("bank", "patch")
    paired = spec | {"pairedWith": {"name": PATCH.name, "namespace": PATCH.namespace}}
    heard.ear.heard_of_window(other, gone=False, body=body(other, "MaintenanceWindow", paired))
    assert heard.of_window(spec) == [PATCH, other]
    assert heard.of_window(spec, gone=True) == [other]


def test_other_nodes_wake_the_windows_that_work_on_some_and_the_sets_of_windows(
    heard: Heard,
) -> None:
    """M-07, M-26: whoever only moves instances does not care who is cordoned."""
    spec = manifest(WINDOW)["spec"]
    moving, working = Key("shop", "moving"), Key("shop", "working")
    template = {"spec": {"template": {"spec": {"containers": [{"name": "patch"}]}}}}
    by_name = {moving: spec, working: spec | {"nodeMaintenance": {"jobTemplate": template}}}
    for key, one in by_name.items():
        heard.ear.heard_of_window(key, gone=False, body=body(key, "MaintenanceWindow", one))
    heard.of_set(WEB)
    for wake, woken in (
        (heard.ear.wake_node_work, {working}),
        (heard.ear.wake_maintained, set()),
    ):
        heard.windows.clear()
        wake()
        assert set(heard.windows) == woken


def test_a_window_that_has_a_node_to_unwind_hears_of_nodes(heard: Heard) -> None:
    """M-09: also where it is no longer to work on any."""
    work = {"node": "n0", "iteration": 1, "phase": "Unwinding", "time": "2026-11-28T02:00:00Z"}
    written = body(PATCH, "MaintenanceWindow", manifest(WINDOW)["spec"])
    written["status"] = {"nodeWork": work}
    heard.ear.heard_of_window(PATCH, gone=False, body=written)
    heard.windows.clear()
    heard.ear.wake_node_work()
    assert heard.windows == [PATCH]


def test_a_set_that_goes_wakes_its_probes_and_is_known_no_more(heard: Heard) -> None:
    heard.of_probe()
    heard.of_set(WEB)
    heard.probes.clear()
    assert WEB in heard.of_set(WEB, gone=True)
    assert heard.probes == [PROBE]
    assert heard.resources.scale_set(WEB) is None


@pytest.mark.parametrize("leaves", [{"gone": True}, {"tier": "batch"}, {}])
def test_a_set_that_a_window_loses_wakes_it_and_the_holder_of_its_pair_s_turn(
    heard: Heard, leaves: dict[str, Any]
) -> None:
    """M-17, M-22: it counts without the set at once, and its turn is free for the other side."""
    heard.of_set(WEB, tier="web")
    first = Key("bank", "patch")
    spec = manifest(WINDOW)["spec"] | {"pairedWith": {"name": first.name, "namespace": "bank"}}
    heard.ear.heard_of_window(PATCH, gone=False, body=body(PATCH, "MaintenanceWindow", spec))
    heard.windows.clear()
    heard.of_set(WEB, tier="web")
    assert heard.windows == [], "nothing of it has changed"
    heard.of_set(WEB, generation=2, **leaves)
    assert heard.windows == [first, PATCH]


def test_a_set_that_comes_under_a_window_wakes_it(heard: Heard) -> None:
    """M-22."""
    heard.ear.heard_of_window(
        PATCH, gone=False, body=body(PATCH, "MaintenanceWindow", manifest(WINDOW)["spec"])
    )
    heard.of_set(WEB)
    heard.windows.clear()
    heard.of_set(WEB, generation=2, tier="web")
    assert heard.windows == [PATCH]


def test_news_of_an_agent_wakes_every_rule_and_no_set(heard: Heard) -> None:
    """S-34: which addresses a node holds may be another for any of them."""
    heard.of_set(WEB, tier="web")
    heard.of_rule(OUT, "web")
    heard.of_rule(FAR_OUT, "api")
    heard.woken.clear()
    heard.rules.clear()
    heard.ear.wake_rules()
    assert sorted(heard.rules) == sorted([OUT, FAR_OUT])
    assert heard.woken == heard.probes == heard.windows == []


def test_a_rule_that_comes_or_changes_wakes_all_rules_and_its_own_sets(heard: Heard) -> None:
    """S-06: an older rule may lose or gain what it claims by it."""
    heard.of_set(WEB, tier="web")
    heard.of_set(API, tier="api")
    assert heard.of_rule(OUT, "web") == {OUT}
    assert heard.woken == [WEB]
    assert heard.of_rule(FAR_OUT, "api", address="192.0.2.20") == {OUT, FAR_OUT}
    assert heard.woken == [API]
    assert heard.of_rule(OUT, "web") == set(), "a status that was written is no news to rules"
    assert heard.woken == [WEB], "and to its sets it is: they show it in short"
    assert heard.of_rule(OUT, "api") == {OUT, FAR_OUT}
    assert sorted(heard.woken) == [API, WEB]


def test_a_rule_that_goes_wakes_the_others_and_its_sets(heard: Heard) -> None:
    heard.of_set(WEB, tier="web")
    heard.of_rule(OUT, "web")
    heard.of_rule(FAR_OUT, "web")
    heard.woken.clear()
    heard.rules.clear()
    heard.ear.heard_of_rule(OUT, gone=True, body={})
    assert heard.rules == [FAR_OUT]
    assert heard.woken == [WEB]


def test_a_turn_of_a_set_wakes_the_rules_that_select_it(heard: Heard) -> None:
    """S-06: an instance may have joined or left."""
    heard.of_set(WEB, tier="web")
    heard.of_rule(OUT, "web")
    heard.of_rule(FAR_OUT, "api")
    heard.rules.clear()
    heard.ear.wake_rules_of(WEB)
    assert heard.rules == [OUT]

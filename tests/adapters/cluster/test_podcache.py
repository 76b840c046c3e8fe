"""The cache of pods: nothing older overwrites newer, nothing gone comes back, no noise wakes."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.reconciler.ports import Key, Pods
from tests.adapters.cluster.objects import OWNER, WEB, condition, controller, pod


class Bench:
    """A cache, and which sets it has woken."""

    def __init__(self) -> None:
        self.woken: list[Key] = []
        self.cache = PodCache(self.woken.append)

    @property
    def pods(self) -> Pods:
        return self.cache.view(OWNER, fresh=True)

    @property
    def names(self) -> set[str]:
        return {instance.name for instance in self.pods.instances}

    def listed(self, version: int, *pods: dict[str, Any], scope: str = "") -> None:
        mark = self.cache.listing()
        for one in pods:
            self.cache.put(one)
        names = frozenset((p["metadata"]["namespace"], p["metadata"]["name"]) for p in pods)
        self.cache.listed(names, version, scope=scope, mark=mark)
        self.reached(version, scope=scope)

    def reached(self, version: int, scope: str = "") -> None:
        self.cache.reached(version, scope=scope)

    def woken_now(self) -> set[Key]:
        woken = set(self.woken)
        self.woken.clear()
        return woken


@pytest.fixture
def bench() -> Bench:
    return Bench()


def gone(number: int = 1, version: int = 99) -> dict[str, Any]:
    return pod(number, version, deletionTimestamp="2026-11-21T08:10:00Z")


# --- Waking --------------------------------------------------------------------------------------


def test_a_new_a_changed_and_an_ended_pod_wake_their_set(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    assert bench.woken_now() == {WEB}
    bench.cache.put(pod(version=11, status={"podIP": "127.16.0.9"}))
    assert bench.woken_now() == {WEB}
    bench.cache.drop(gone(version=12))
    assert bench.woken_now() == {WEB}
    assert bench.names == set()


def test_what_changes_nothing_for_us_wakes_nobody(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.woken.clear()
    bench.cache.put(pod(version=11, annotations={"cni.example.com/address": "x"}))
    bench.cache.put(pod(version=12, status={"startTime": "2026-11-21T08:00:01Z"}))
    assert bench.woken == []
    (instance,) = bench.pods.instances
    assert instance.resource_version == "12"


def test_an_event_told_twice_wakes_once(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.put(pod(version=10))
    assert bench.woken == [WEB]


def test_a_label_that_only_the_selector_reads_wakes(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.woken.clear()
    bench.cache.put(pod(version=11, labels={"app": "other"}))
    assert bench.woken_now() == {WEB}


def test_the_old_and_the_new_owner_are_woken(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.woken.clear()
    bench.cache.put(pod(version=11, ownerReferences=[controller("uid-of-db", "db")]))
    assert bench.woken_now() == {WEB, Key("default", "db")}
    assert bench.names == set()
    bench.cache.put(pod(version=12, ownerReferences=None))
    assert bench.woken_now() == {WEB, Key("default", "db")}
    assert [one.name for one in bench.pods.adoptable] == ["web-1"]


# --- Views ---------------------------------------------------------------------------------------


def test_pods_are_found_by_owner_by_name_and_by_node(bench: Bench) -> None:
    bench.cache.put(pod(1))
    bench.cache.put(pod(2, ownerReferences=None))
    bench.cache.put(pod(3, labels={"app": "other"}))
    bench.cache.put(pod(4, namespace="elsewhere", ownerReferences=[controller("other")]))
    pods = bench.pods
    assert [one.name for one in pods.instances] == ["web-1", "web-3"]
    assert [one.name for one in pods.adoptable] == ["web-2"]
    assert [one.name for one in pods.released] == ["web-3"]
    assert len(bench.cache.live_on("node-1")) == 4
    assert bench.cache.sets_on("node-1") == {WEB, Key("elsewhere", "web")}
    assert bench.cache.live_on("node-2") == ()


def test_a_pod_without_controller_that_does_not_match_is_not_offered(bench: Bench) -> None:
    """Or a released pod would be adopted again at once."""
    bench.cache.put(pod(1, ownerReferences=None, labels={"app": "other"}))
    assert bench.pods == Pods()


def test_a_pod_is_found_on_its_node_once_it_has_one_and_only_while_it_lives(bench: Bench) -> None:
    bench.cache.put(pod(version=10, spec={"nodeName": None}))
    assert bench.cache.live_on("node-1") == ()
    bench.cache.put(pod(version=11))
    assert len(bench.cache.live_on("node-1")) == 1
    bench.cache.put(gone(version=12))
    assert bench.cache.live_on("node-1") == ()
    assert bench.names == {"web-1"}
    bench.cache.drop(gone(version=13))
    assert bench.cache.sets_on("node-1") == frozenset()


def test_a_pod_that_turns_out_to_be_nobodys_is_let_go(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.put(pod(version=11, labels={"scaleset.dev/instance-id": "none"}))
    assert bench.names == set()


def test_one_pod_that_cannot_be_read_stops_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.cache.put(pod(1, 10))
    bench.cache.put(pod(1, 11, creationTimestamp="when?"))
    bench.cache.put(pod(2, 12))
    assert bench.names == {"web-2"}
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


# --- Order ---------------------------------------------------------------------------------------


def test_older_never_overwrites_newer(bench: Bench) -> None:
    bench.cache.feed(pod(version=20, status={"podIP": "127.16.0.2"}))
    bench.cache.put(pod(version=19))
    bench.cache.feed(pod(version=18))
    (instance,) = bench.pods.instances
    assert (instance.resource_version, instance.ip) == ("20", "127.16.0.2")


def test_versions_compare_as_numbers(bench: Bench) -> None:
    bench.cache.put(pod(version=9))
    bench.cache.put(pod(version=10))
    (instance,) = bench.pods.instances
    assert instance.resource_version == "10"


def test_the_end_of_a_pod_does_not_end_its_successor_of_the_same_name(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.feed(pod(version=20, uid="uid-new"))
    bench.cache.drop(gone(version=15))
    (instance,) = bench.pods.instances
    assert instance.uid == "uid-new"


def test_a_live_read_of_a_pod_whose_end_was_told_does_not_bring_it_back(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.drop(gone(version=12))
    bench.reached(12)
    bench.cache.feed(pod(version=10))
    bench.cache.feed(gone(version=12))
    assert bench.names == set()


def test_a_live_read_ahead_of_the_watch_is_taken_in(bench: Bench) -> None:
    bench.reached(12)
    bench.cache.feed(pod(version=13))
    assert bench.names == {"web-1"}


def test_a_pod_read_as_gone_is_not_brought_back_by_old_news(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.feed_absence(Key("default", "web-1"), "uid-1")
    assert bench.names == set()
    bench.cache.put(pod(version=11))
    bench.cache.feed(pod(version=12))
    assert bench.names == set()
    bench.cache.drop(gone(version=13))
    bench.cache.put(pod(version=14, uid="uid-new"))
    assert bench.names == {"web-1"}


def test_a_successor_shows_although_its_forerunner_was_read_as_gone(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    bench.cache.feed_absence(Key("default", "web-1"), "uid-1")
    bench.cache.put(pod(version=14, uid="uid-new"))
    assert bench.names == {"web-1"}


def test_the_absence_of_one_pod_is_not_that_of_another_of_the_name(bench: Bench) -> None:
    bench.cache.put(pod(version=10, uid="uid-new"))
    bench.cache.feed_absence(Key("default", "web-1"), "uid-1")
    bench.cache.feed_absence(Key("default", "web-2"), "uid-2")
    assert bench.names == {"web-1"}


# --- Lists ---------------------------------------------------------------------------------------


def test_a_list_ends_what_it_does_not_name(bench: Bench) -> None:
    bench.listed(10, pod(1, 5), pod(2, 6))
    bench.woken.clear()
    bench.listed(20, pod(2, 6))
    assert bench.names == {"web-2"}
    assert bench.woken_now() == {WEB}


def test_a_list_does_not_end_a_pod_made_after_it_was_begun(bench: Bench) -> None:
    mark = bench.cache.listing()
    bench.cache.feed(pod(3, 25))
    bench.cache.listed(frozenset(), 20, scope="", mark=mark)
    assert bench.names == {"web-3"}


def test_a_list_of_one_namespace_ends_nothing_in_another(bench: Bench) -> None:
    bench.cache.put(pod(1, 5))
    bench.listed(20, scope="other")
    assert bench.names == {"web-1"}
    bench.listed(20, scope="default")
    assert bench.names == set()


def test_a_list_begun_before_a_pod_was_read_as_gone_does_not_bring_it_back(bench: Bench) -> None:
    bench.cache.put(pod(version=10))
    mark = bench.cache.listing()
    bench.cache.feed_absence(Key("default", "web-1"), "uid-1")
    bench.cache.put(pod(version=10))
    bench.cache.listed(frozenset({("default", "web-1")}), 11, scope="", mark=mark)
    assert bench.names == set()
    bench.listed(20)
    bench.cache.put(pod(version=21))
    assert bench.names == {"web-1"}, "a later list has settled it"


def test_a_live_list_of_one_set_ends_what_it_does_not_name(bench: Bench) -> None:
    """Protocol rule 24."""
    bench.cache.put(pod(1, 5))
    bench.cache.put(pod(2, 6, ownerReferences=None))
    bench.cache.put(pod(3, 25))
    bench.cache.put(pod(4, 7, labels={"scaleset.dev/name": "renamed"}))
    other = replace(OWNER, key=Key("default", "db"), uid="uid-of-db")
    bench.cache.feed_list(other, [], 20)
    assert bench.names == {"web-1", "web-3", "web-4"}
    bench.cache.feed_list(OWNER, [], 20)
    assert bench.names == {"web-3", "web-4"}
    assert bench.pods.adoptable == ()
    bench.cache.put(pod(1, 19, status={"conditions": [condition("Ready")]}))
    assert bench.names == {"web-3", "web-4"}

"""The plugin's commands that act, as processes, against a real API server.

A narrow terminal and no colour, for what is shown must hold there too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cli.test_csdef import WHOLE
from tests.integration.operator_fixture import SOURCE
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, moment, new_world, template
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

SCRIPT: Final = "from scaleset_operator.__main__ import plugin; plugin()"
POLICY: Final = {"gracePeriod": "PT1H", "repairAction": "Replace"}


class Person:
    """Somebody at a terminal of 40 columns."""

    def __init__(self, namespace: str, kubeconfig: Path) -> None:
        self._namespace = namespace
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": str(SOURCE),
            "COLUMNS": "40",
            "NO_COLOR": "1",
        }

    def __call__(
        self, *words: str, code: int = 0, stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one command line in the namespace; its exit code must be this one."""
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words],
            env=self.environment,
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        assert "\x1b" not in done.stdout
        return done

    def on(self, *words: str, code: int = 0) -> str:
        """The same with -n; what it printed."""
        return self(*words, "-n", self._namespace, code=code).stdout

    def refused(self, *words: str) -> str:
        """The one line of an error."""
        said = self(*words, "-n", self._namespace, code=1).stderr
        assert said.startswith("error: ")
        assert said.count("\n") == 1
        return said

    def data(self, *words: str) -> Any:
        """What -o json prints."""
        return json.loads(self.on(*words, "-o", "json"))


class Plugin(Person):
    """The administrator of the local control plane."""

    def __init__(self, world: World) -> None:
        super().__init__(world.namespace, world.cluster.user_kubeconfig("admin"))


@pytest.fixture(scope="module")
def world(operator: OperatorProcess) -> Iterator[World]:
    """A set of three that is Ready; each test leaves its repairs Running."""
    with new_world(operator.cluster, "plugin") as made:
        made.scale_set("web", 3, repairs=POLICY)
        made.await_ready("web")
        yield made


@pytest.fixture
def plugin(world: World) -> Plugin:
    """The plugin beside it."""
    return Plugin(world)


def marks(raw: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Labels or annotations of our prefix."""
    found = raw["metadata"].get(kind) or {}
    return {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}


def service(world: World) -> tuple[str, str]:
    """State of the repairs as the operator reports it, and who suspended them."""
    found = (world.status("web").get("orchestrationServices") or [{}])[0]
    return found.get("serviceState", ""), found.get("suspendedBy", "")


def test_repairs_are_suspended_and_resumed_by_what_the_operator_reads(
    world: World, plugin: Plugin
) -> None:
    """R-38, R-39, R-44: the verb is told, the state follows; an end and a reason are kept."""
    said = plugin.on("repairs", "suspend", "web", "--for", "2h", "--reason", "drill")
    assert said.startswith("scaleset/web repairs: was Running, is Suspended by User until ")
    eventually(lambda: service(world) == ("Suspended", "User"), "Suspended by User")
    held = marks(world.get("web"), "annotations")
    until = datetime.fromisoformat(held["repairs-suspended-until"])
    assert abs(until - datetime.now(UTC) - timedelta(hours=2)) < timedelta(minutes=1)
    assert held["repairs-suspended-reason"] == "drill"
    assert "serviceState" not in json.dumps(world.get("web")["metadata"].get("annotations"))

    assert "is Running" in plugin.on("repairs", "resume", "web")
    eventually(lambda: service(world)[0] == "Running", "Running again")
    assert plugin.data("repairs", "resume", "web")["items"][0]["changed"] is False

    plugin.on("repairs", "suspend", "web")
    assert world.get("web")["spec"]["automaticRepairsPolicy"]["serviceState"] == "Suspended"
    eventually(lambda: service(world) == ("Suspended", "User"), "Suspended by User")
    assert "which has no end" in plugin.refused("repairs", "suspend", "web", "--for", "1h")
    plugin.on("repairs", "resume", "web")
    eventually(lambda: service(world)[0] == "Running", "Running again")


def test_a_suspension_by_the_platform_ends_with_a_persons_word_alone(
    world: World, plugin: Plugin
) -> None:
    """R-42, R-43, R-44: its cause is shown and asked about; the request is later than the
    suspension, whatever the clock of the person says, and clears the counts."""
    # Each has its address before it runs, so that it is told in time what to answer.
    late = template("ill", marks={"localcluster/start-delay": "3"})
    repairs = {"gracePeriod": "PT0S", "suspendAfterFailedRepairs": 1}
    world.scale_set("ill", 1, repairs=repairs, template=late)

    def suspended() -> Any:
        """Whatever comes in its place is as sick as it is."""
        there = [pod for pod in world.pods("ill") if pod["status"].get("podIP")]
        world.endpoints.tell(there, "status:500")
        return world.status("ill").get("repairs", {}).get("suspendedSince")

    since = eventually(
        suspended, "suspended by the platform", seconds=90, told=lambda: world.told("ill")
    )
    asked = plugin.refused("repairs", "resume", "ill")
    assert "Suspended by Platform since" in asked
    assert "--yes says it beforehand" in asked
    assert world.status("ill")["repairs"]["suspendedSince"] == since
    world.endpoints.heal(world.pods("ill"))
    said = plugin.on("repairs", "resume", "ill", "--yes")
    assert said.startswith("scaleset/ill repairs: was Suspended by Platform")
    status = world.await_status(
        "ill", lambda s: not s["repairs"].get("suspendedSince"), "resumed by a person"
    )
    assert status["repairs"]["consecutiveFailed"] == 0
    handled = moment(status["repairs"]["lastHandledResumeRequest"])
    assert handled > moment(since)
    eventually(lambda: "RepairsResumed" in world.events("ill"), "it is told")
    assert plugin.data("repairs", "resume", "ill")["items"][0]["changed"] is False


def test_an_instance_is_marked_by_the_words_of_its_labels_and_annotations(
    world: World, plugin: Plugin
) -> None:
    """R-47, R-49, R-54: protection is counted by the operator; nothing is approved unasked."""
    name = world.pods("web")[0]["metadata"]["name"]

    def pod() -> dict[str, Any]:
        return world.get(name, "Pod")

    plugin.on("protect", name, "--all")
    world.await_status("web", lambda s: s.get("protectedReplicas") == 1, "one is protected")
    assert marks(pod(), "labels")["protect-from-scale-in"] == "true"
    assert "is none" in plugin.on("unprotect", name)
    world.await_status("web", lambda s: not s.get("protectedReplicas"), "none is protected")
    assert "nothing to approve" in plugin.refused("approve", name)
    world.api.merge(
        path_of("Pod", world.namespace, name),
        {"metadata": {"annotations": {f"{PREFIX}terminate-at": "2126-01-01T00:00:00Z"}}},
    )
    plugin.on("approve", name)
    assert marks(pod(), "annotations")["approve-termination"] == "true"
    assert "not requested, is requested" in plugin.on("repair", name)
    assert "no Pod web-999" in plugin.refused("repair", "web-999")


def test_a_restart_changes_the_template_and_nothing_else(world: World, plugin: Plugin) -> None:
    """Only the template changes, and a change of somebody else's is not lost."""
    before = world.get("web")["spec"]
    plugin.on("rollout", "restart", "web")
    after = world.get("web")["spec"]
    noted = after["template"]["metadata"]["annotations"].pop("kubectl.kubernetes.io/restartedAt")
    assert datetime.fromisoformat(noted).tzinfo is not None
    assert {**after, "template": after["template"]["spec"]} == {
        **before,
        "template": before["template"]["spec"],
    }


def test_undo_goes_back_to_the_template_that_the_history_keeps(
    world: World, plugin: Plugin
) -> None:
    """A field that the newer template added is gone again: nothing is merged."""
    newer = template("web", image="web:2", marks={"added": "later"})
    world.change("web", template=newer)
    eventually(
        lambda: any(row["present"] for row in plugin.data("rollout", "history", "web")["items"]),
        "the new template has its revision",
    )
    assert "is at revision" in plugin.on("rollout", "undo", "web")
    found = world.get("web")["spec"]["template"]
    assert found["spec"]["containers"][0]["image"] == "web:1"
    assert "added" not in (found["metadata"].get("annotations") or {})
    assert "--to-revision is 77" in plugin.refused("rollout", "undo", "web", "--to-revision", "77")


def test_a_probe_from_here_shows_what_the_instances_answer(world: World, plugin: Plugin) -> None:
    """R-04, P-14: the operator's own attempt, and its words."""
    assert plugin.data("probe", "web")["items"][0]["reason"] == "Answering"
    sick = world.pods("web")[0]
    world.endpoints.tell([sick], "status:500")
    said = plugin.on("probe", "web", "-v", code=2)
    assert "WrongStatus" in said
    assert all(len(line) <= 40 for line in said.splitlines())
    found = json.loads(plugin.on("probe", "web", "-o", "json", code=2))
    assert [row["httpStatus"] for row in found["items"]].count(500) == 1


def test_what_is_imported_is_what_the_api_server_takes(
    world: World, plugin: Plugin, tmp_path: Path
) -> None:
    """P-01, P-09, P-32: defaults are the server's, one by one."""
    file = tmp_path / "a.csdef"
    file.write_text(WHOLE)
    done = plugin("import-csdef", str(file), "-n", world.namespace)
    manifest = tmp_path / "probes.yaml"
    manifest.write_text(done.stdout)
    world.cluster.kubectl("apply", "-f", str(manifest))
    assert world.get("webprobe", "HealthProbe")["spec"]["timeoutInSeconds"] == 11
    assert world.get("cache", "HealthProbe")["spec"]["intervalInSeconds"] == 15


def test_a_user_without_the_right_is_told_which(plugin: Plugin) -> None:
    said = plugin.refused("repairs", "suspend", "web", "--as", "eve")
    assert "you may not get scalesets.scaleset.dev in namespace" in said

"""`simulate` rehearses manifests: a table, data, an exit code, errors with what is allowed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.simulation.world import probe_spec, set_spec
from tests.support.fake_plugin import FakeEntrance

RECORDING = Path(__file__).parents[1] / "rehearsal" / "recordings" / "batches.jsonl"
API = "scaleset.dev/v1alpha1"
FAST = ("--start-after", "5s", "--until", "6m")


def manifests(replicas: int = 10, **policy: Any) -> list[dict[str, Any]]:
    """A set and its probe at 5/11, grace 20 s."""
    probe = {"apiVersion": API, "kind": "HealthProbe", "metadata": {"name": "web-http"}}
    scale_set = {"apiVersion": API, "kind": "ScaleSet", "metadata": {"name": "web"}}
    return [{**probe, "spec": probe_spec()}, {**scale_set, "spec": set_spec(replicas, **policy)}]


def written(folder: Path, *bodies: dict[str, Any]) -> str:
    """A file with these documents; the usual two without any."""
    file = folder / "web.yaml"
    file.write_text(yaml.safe_dump_all(bodies or manifests()))
    return str(file)


def simulated(file: str, scenario: str, *words: str, code: int = 0, **env: str) -> str:
    """What it prints, where no cluster may be asked."""
    words = ("simulate", "-f", file, "--scenario", scenario, *FAST, *words)
    return FakeEntrance(away="nobody may connect").run(*words, code=code, env=env).stdout


def test_the_table_says_what_happens_when_and_the_figures_stand_below(tmp_path: Path) -> None:
    """X-12: what-if on manifests, by the operator's own loop."""
    said = simulated(written(tmp_path), "at=1m fail=20%")
    assert "created" in said
    assert "scenario" in said
    assert "HTTP 500, 200 is expected" in said
    assert "2 in 2 batches: 2 succeeded" in said
    assert "never more than 1 of 1 allowed" in said
    assert "at the least 8 of 10" in said
    assert "8 instances, held" in said
    assert "all 10 healthy since" in said


def test_equal_lines_are_one(tmp_path: Path) -> None:
    said = simulated(written(tmp_path), "")
    assert said.count("created") == 1
    assert "web-4 and 6 more" in said


def test_data_has_every_act_with_its_time_and_reason(tmp_path: Path) -> None:
    said = json.loads(simulated(written(tmp_path), "at=1m fail=web-3", "-o", "json"))
    begun = [act for act in said["acts"] if act["act"] == "Begin"]
    assert [(act["instance"], act["what"], act["reason"]) for act in begun] == [
        ("web-3", "Replace", "WrongStatus")
    ]
    assert begun[0]["seconds"] > 60
    assert said["summary"]["repairs"] == 1
    assert said["events"] == [{"at": "0:01:00", "event": "at=1m fail=web-3", "did": "web-3"}]


def test_it_ends_by_how_the_set_stands_at_the_end(tmp_path: Path) -> None:
    file = written(tmp_path)
    assert "repairs are suspended" in simulated(file, "at=1m suspend", code=3)
    assert "8 of 10 healthy" in simulated(file, "at=5m45s fail=2", code=2)


def test_a_narrow_terminal_loses_columns_and_no_words(tmp_path: Path) -> None:
    wide = simulated(written(tmp_path), "at=1m fail=20%", COLUMNS="160")
    narrow = simulated(written(tmp_path), "at=1m fail=20%", COLUMNS="50")
    assert "INSTANCES" in wide
    assert "INSTANCES" not in narrow
    assert max(map(len, narrow.splitlines())) <= 50
    assert "all 10 healthy since" in narrow


def test_no_colour_is_used_where_it_is_not_wanted(tmp_path: Path) -> None:
    assert "\x1b" not in simulated(written(tmp_path), "at=1m fail=1", NO_COLOR="1")


def test_a_scenario_may_stand_in_a_file(tmp_path: Path) -> None:
    script = tmp_path / "bad-day"
    script.write_text("# a bad day\nat=1m fail=1\n")
    said = simulated(written(tmp_path), "", "--scenario-file", str(script))
    assert "1 in 1 batches" in said


def test_what_means_nothing_to_a_rehearsal_is_named(tmp_path: Path) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    words = ("simulate", "-f", written(tmp_path, service, *manifests()), *FAST)
    assert "left out: Service\n" in FakeEntrance().run(*words).stderr


def test_budgets_of_the_file_are_counted(tmp_path: Path) -> None:
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "all"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": "100%"},
    }
    file = written(tmp_path, budget, *manifests(disruptionBudgets="Enforce"))
    assert "DisruptionBudget" in simulated(file, "at=1m protect=2; at=2m fail=1 as=hang", code=2)


def recording(folder: Path, change: str = "") -> str:
    """The stored recording of a live operator, in which one word may be another."""
    text = RECORDING.read_text()
    old, _, new = change.partition("=")
    assert old in text
    file = folder / "recording"
    file.write_text(text.replace(old, new) if old else text)
    return str(file)


def test_a_recording_of_a_live_operator_is_replayed_with_the_same_acts(tmp_path: Path) -> None:
    """X-12: recorded on a real control plane."""
    said = FakeEntrance(away="no").run("simulate", "--replay", recording(tmp_path)).stdout
    assert "does the same, in the same order" in said


def test_a_replay_that_differs_says_where(tmp_path: Path) -> None:
    """X-12: a longer grace is another operator."""
    file = recording(tmp_path, '"gracePeriod": "PT40S"="gracePeriod": "PT9M"')
    entrance = FakeEntrance(away="no")
    said = entrance.run("simulate", "--replay", file, code=2).stdout
    assert "and then differs" in said
    assert "recorded  0:0" in said
    data = json.loads(entrance.run("simulate", "--replay", file, "-o", "json", code=2).stdout)
    assert data["difference"]["recorded"]["act"] == "Begin"
    assert not data["same"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--replay", "{tmp}/none"), "--replay is"),
        (("--replay", "{tmp}/text.yaml"), "which is no recording"),
        ((), "nothing to rehearse: give -f FILE, or the name of a SET"),
        (("-f", "{tmp}/none.yaml"), "cannot be read: No such file"),
        (("-f", "{tmp}/web.yaml", "api"), "has no ScaleSet 'api': it has web"),
        (("-f", "{tmp}/probe.yaml"), "probe.yaml has no ScaleSet to rehearse"),
        (("-f", "{tmp}/web.yaml", "--until", "2y"), "--until is '2y': allowed is a span"),
        (("-f", "{tmp}/web.yaml", "--until", "90d"), "allowed are at most 31d"),
        (("-f", "{tmp}/web.yaml", "--scenario", "at=1m fail=web-99"), "60 s after the begin"),
        (("-f", "{tmp}/web.yaml", "--scenario-file", "{tmp}/no"), "--scenario-file is"),
        (("-f", "{tmp}/bad.yaml"), "replicas"),
        (("-f", "{tmp}/typo.yaml"), "ScaleSet web: spec.healthProbRef, spec.upgradePolicy.mod: no"),
        (("-f", "{tmp}/text.yaml"), "document 1 is no manifest: it has no kind"),
        (("-f", "{tmp}/nameless.yaml"), "ScaleSet has no metadata.name"),
        (("-f", "{tmp}/broken.yaml"), "is no YAML"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    written(tmp_path)
    bad = manifests()
    bad[1]["spec"]["replicas"] = "many"
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump_all(bad))
    (tmp_path / "probe.yaml").write_text(yaml.safe_dump_all(bad[:1]))
    typo = manifests()
    typo[1]["spec"] |= {"healthProbRef": {"name": "x"}, "upgradePolicy": {"mod": "Manual"}}
    (tmp_path / "typo.yaml").write_text(yaml.safe_dump_all(typo))
    (tmp_path / "text.yaml").write_text("just words")
    (tmp_path / "nameless.yaml").write_text("kind: ScaleSet")
    (tmp_path / "broken.yaml").write_text("{")
    given = [word.replace("{tmp}", str(tmp_path)) for word in words]
    said = FakeEntrance().run("simulate", *given, code=1).stderr
    assert told in said
    assert said.count("\n") == 1


def several(folder: Path) -> str:
    """A file with the sets `web` and `api` of the namespace near, and a `web` of far."""
    probe, web = manifests(3)
    api = {**web, "metadata": {"name": "api"}}
    near, far = (
        [{**b, "metadata": {**b["metadata"], "namespace": place}} for b in (probe, web, api)]
        for place in ("near", "far")
    )
    return written(folder, *near, *far[:2])


def test_of_several_sets_one_is_named_and_the_error_says_which_there_are(tmp_path: Path) -> None:
    file = several(tmp_path)
    said = FakeEntrance(away="no").run("simulate", "-f", file, code=1).stderr
    assert "has the ScaleSets near/web, near/api, far/web, and one is rehearsed" in said
    assert f"name it: kubectl scaleset simulate web -f {file}" in said
    assert '"name": "api"' in simulated(file, "", "api", "-o", "json")


def test_of_two_sets_of_one_name_the_namespace_chooses(tmp_path: Path) -> None:
    file = several(tmp_path)
    said = FakeEntrance(away="no").run("simulate", "web", "-f", file, code=1).stderr
    assert "has the ScaleSets near/web, far/web" in said
    assert "say in which namespace: -n NAMESPACE" in said
    assert '"namespace": "far"' in simulated(file, "", "web", "-n", "far", "-o", "json")


def test_a_set_that_stands_in_the_file_twice_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, *manifests(3), *manifests(4))
    said = FakeEntrance(away="no").run("simulate", "-f", file, code=1).stderr
    assert "has the ScaleSets web, web" in said
    assert "they are one and the same" in said


def test_a_probe_that_is_named_and_not_in_the_file_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, manifests(3)[1])
    said = FakeEntrance(away="no").run("simulate", "-f", file, "--until", "1m", code=2).stderr
    assert f"note: {file}: the set names HealthProbe web-http, which is not in it" in said

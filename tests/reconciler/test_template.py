"""What a turn asks the API server about the template, and how often."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.base import LABEL_MODEL, Reason
from scaleset_operator.core.model import model_of
from scaleset_operator.reconciler.ports import Unavailable
from scaleset_operator.reconciler.turn import RESERVE, TEMPLATE_RETRY
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.requests import Fault, Hooks, Request, Verb
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE

if TYPE_CHECKING:
    from scaleset_operator.rehearsal.api_server import Change

GOOD: Final[dict[str, Any]] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:2"}]},
}
BETTER: Final[dict[str, Any]] = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"more": "differs"}},
    "spec": {"containers": [{"name": "web", "image": "web:3"}]},
}
BAD = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
RETRY_S = TEMPLATE_RETRY.total_seconds()


async def test_a_template_is_asked_about_once() -> None:
    stage = Stage()
    await stage.run(60)
    assert len(stage.made(Verb.DRY_RUN)) == 1


async def test_another_template_is_asked_about_anew() -> None:
    stage = Stage()
    await stage.run(5)
    stage.change_spec(template=GOOD)
    await stage.run(5)
    assert len(stage.made(Verb.DRY_RUN)) == 2


async def test_a_change_of_anything_else_asks_about_nothing() -> None:
    stage = Stage()
    await stage.run(5)
    stage.change_spec(replicas=4)
    await stage.run(5)
    assert len(stage.made(Verb.DRY_RUN)) == 1


async def test_a_refused_template_is_reported_and_nothing_is_lost() -> None:
    stage = Stage()
    await stage.run(10)
    before = stage.pods()
    stage.change_spec(template=BAD)
    await stage.run(10)
    accepted = stage.condition("Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", Reason.INVALID_TEMPLATE)
    assert "spec.containers" in accepted["message"]
    assert stage.pods() == before


async def test_a_refused_template_is_tried_again_without_any_event() -> None:
    """What the server refuses today, a policy say, it may take tomorrow."""
    stage = Stage()
    stage.operator.faults.script(Verb.DRY_RUN, Fault.FORBIDDEN)
    due = await stage.turn()
    assert stage.condition("Accepted")["reason"] == Reason.CREATE_FORBIDDEN
    assert stage.pods() == []
    await stage.until_due(due, within=RETRY_S)
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]
    assert stage.condition("Accepted")["status"] == "True"


async def test_a_template_that_stays_refused_is_asked_about_each_half_minute() -> None:
    stage = Stage()
    stage.change_spec(template=BAD)
    await stage.run(121)
    assert len(stage.made(Verb.DRY_RUN)) == 5
    assert stage.pods() == []


async def test_a_question_that_got_no_answer_is_asked_again() -> None:
    """X-07: and till then nothing is created."""
    stage = Stage()
    stage.operator.faults.script(Verb.DRY_RUN, Fault.SERVER_ERROR)
    with pytest.raises(Unavailable):
        await stage.turn()
    assert stage.pods() == []
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_a_refused_template_is_not_forgotten_while_the_server_is_away() -> None:
    stage = Stage()
    stage.operator.faults.script(Verb.DRY_RUN, Fault.FORBIDDEN, Fault.SERVER_ERROR)
    due = await stage.turn()
    await stage.until_due(due, within=RETRY_S)
    with pytest.raises(Unavailable):
        await stage.turn()
    await stage.turn()
    assert stage.pods() == ["web-1", "web-2", "web-3"]


async def test_pods_that_are_not_ours_to_take_are_reported_and_left_alone() -> None:
    stage = Stage()
    stranger = FakePod(
        namespace=NAMESPACE, name="stranger", labels={"app": "web"}, spec=GOOD["spec"]
    )
    stage.server.create_pod(stranger)
    await stage.run(10)
    assert "stranger" in stage.condition("Accepted")["message"]
    assert stage.pods() == ["stranger", "web-1", "web-2", "web-3"]
    stage.server.remove_pod(stage.pod("stranger"))
    stage.clock.advance(RESERVE)
    await stage.run(10)
    assert "stranger" not in stage.condition("Accepted")["message"]


async def test_two_sets_that_claim_the_same_pods_are_told_apart_by_age() -> None:
    """X-11: the younger one is not accepted and creates nothing."""
    stage = Stage()
    stage.clock.advance(60)
    younger = KEY._replace(name="api")
    stage.server.apply("ScaleSet", *younger, stage.server.resource("ScaleSet", *KEY)["spec"])
    await stage.turn()
    await stage.turn(younger)
    assert stage.pods() == ["web-1", "web-2", "web-3"]
    conditions = stage.server.resource("ScaleSet", *younger)["status"]["conditions"]
    accepted = next(row for row in conditions if row["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", Reason.SELECTOR_OVERLAP)
    assert stage.condition("Accepted")["status"] == "True"


class Edits(Hooks):
    """At one point of the requests of an operator the owner edits the template, and it is heard.

    Attributes:
        left: how many points are to pass before that; below 0 it has come.
    """

    def __init__(self, stage: Stage, point: int) -> None:
        self.stage = stage
        self.left = point

    async def before(self, request: Request) -> None:
        """Just before sending."""
        self._pass()

    async def after(self, request: Request) -> None:
        """Carried out, and the operator does not know yet."""
        self._pass()

    def _pass(self) -> None:
        self.left -= 1
        if self.left == -1:
            self.stage.change_spec(template=BETTER)
            self.stage.operator.hear()


def nothing(_: Stage) -> None:
    """The set is being made."""


def edited(stage: Stage) -> None:
    """A rollout is about to begin."""
    stage.change_spec(template=GOOD)


def edited_in_place(stage: Stage) -> None:
    """One that keeps the pods where it can."""
    rolling = {"inPlaceIfPossible": True, "maxBatchInstancePercent": 100}
    template = {**BETTER, "spec": GOOD["spec"]}
    stage.change_spec(upgradePolicy={"rollingUpgradePolicy": rolling}, template=template)


def one_more(stage: Stage) -> None:
    """It grows."""
    stage.change_spec(replicas=4)


@pytest.mark.parametrize(
    ("before", "what"),
    [(0, nothing), (20, edited), (20, edited_in_place), (20, one_more)],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_an_instance_is_labelled_with_the_model_that_it_is_made_from(
    before: int, what: Callable[[Stage], None]
) -> None:
    """R-55: at whatever moment the template is edited and heard of."""
    point, came = 0, True
    while came:
        stage = Stage()
        first = stage.server.resource("ScaleSet", *KEY)["spec"]["template"]
        changes: list[Change] = []
        stage.server.subscribe(changes.append)
        await stage.run(before)
        what(stage)
        second = stage.server.resource("ScaleSet", *KEY)["spec"]["template"]
        models = {_parts(template): model_of(template) for template in (first, second, BETTER)}
        edits = Edits(stage, point)
        stage.cluster.wire.hooks = edits
        await stage.run(4)
        came, point = edits.left < 0, point + 1
        for pod in (c.stored for c in changes if isinstance(c.stored, FakePod)):
            marks = {key: text for key, text in pod.annotations.items() if "/" not in key}
            made_from = _parts({"metadata": {"annotations": marks}, "spec": pod.spec})
            assert pod.labels[LABEL_MODEL] == models[made_from], (point, pod.name, made_from)
    assert point > 5


def _parts(template: Mapping[str, Any]) -> tuple[str, str]:
    """What the templates differ in."""
    marks = template["metadata"].get("annotations", {})
    return template["spec"]["containers"][0]["image"], marks.get("more", "")

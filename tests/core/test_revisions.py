"""The history of models: written on a change only, bounded, and never without a live model."""

import pytest

from scaleset_operator.core.model import model_of
from scaleset_operator.core.revisions import (
    MAX_REVISIONS,
    Revision,
    Upkeep,
    after,
    called,
    labels_given,
    upkeep,
)
from tests.support.builders import TEMPLATE


def revision(number: int, model: str | None = None) -> Revision:
    model = model or f"m{number}"
    return Revision(name=f"web-{model}", model=model, number=number, uid=f"uid-{model}")


def history(*numbers: int) -> tuple[Revision, ...]:
    return tuple(revision(number) for number in numbers)


def test_a_new_model_gets_the_next_number_and_a_name_of_its_own() -> None:
    """What a failure names by its revision can be found, and gone back from."""
    first = upkeep("web", (), "m1", set())
    assert first.write == Revision(name="web-m1", model="m1", number=1)
    second = upkeep("web", history(1, 4), "m2x", set())
    assert second.write == Revision(name="web-m2x", model="m2x", number=5)


def test_nothing_is_written_while_the_model_stays() -> None:
    assert upkeep("web", history(1, 2, 3), "m3", {"m1"}) == Upkeep()


def test_going_back_to_an_older_template_numbers_its_revision_anew() -> None:
    """As StatefulSets do: the same object, so that the history does not repeat itself."""
    back = upkeep("web", history(1, 2, 3), "m1", set())
    assert back.write == Revision(name="web-m1", model="m1", number=4, uid="uid-m1")
    kept = after(history(1, 2, 3), back)
    assert [(r.model, r.number) for r in kept] == [("m2", 2), ("m3", 3), ("m1", 4)]


@pytest.mark.parametrize(("idle", "dropped"), [(MAX_REVISIONS, []), (MAX_REVISIONS + 1, ["m1"])])
def test_the_oldest_go_once_there_are_more_than_ten(idle: int, dropped: list[str]) -> None:
    known = history(*range(1, idle + 1))
    assert [r.model for r in upkeep("web", known, "new", set()).drop] == dropped


def test_a_model_that_instances_have_stays_however_old_it_is() -> None:
    known = history(*range(1, MAX_REVISIONS + 3))
    needed = upkeep("web", known, "new", {"m1"})
    assert [r.model for r in needed.drop] == ["m2"]
    kept = after(known, needed)
    assert len(kept) == MAX_REVISIONS + 2
    assert kept[0].model == "m1"
    assert kept[-1].model == "new"


def test_where_nothing_is_to_be_done_the_history_stays_oldest_first() -> None:
    assert after((revision(2), revision(1)), Upkeep()) == history(1, 2)
    assert after(history(1, 2), Upkeep(drop=history(1))) == history(2)


def test_a_model_is_called_by_its_hash_and_its_revision() -> None:
    """R-40: a failure names the revision."""
    assert called("m1", {"m1": 7}) == "model m1, revision 7"
    assert called("m1", {}) == "model m1"


def test_a_restart_annotation_in_the_template_is_a_new_model() -> None:
    """`kubectl rollout restart` writes one; to us it is a change of the template like any other."""
    times = ("2026-11-21T10:00:00Z", "2026-11-21T11:00:00Z")
    restarted = [
        {
            **TEMPLATE,
            "metadata": {
                **TEMPLATE["metadata"],
                "annotations": {"kubectl.kubernetes.io/restartedAt": time},
            },
        }
        for time in times
    ]
    assert len({model_of(template) for template in (TEMPLATE, *restarted)}) == 3


def test_labels_of_ours_in_a_template_are_given_to_nobody() -> None:
    """R-49, V-21: so protection that somebody set by hand is that person's, and moves along."""
    labels = {"app": "web", "scaleset.dev/protect-from-scale-in": "true"}
    assert labels_given({"metadata": {"labels": labels}}) == {"app"}
    assert labels_given({"spec": {}}) == labels_given({"metadata": {"labels": None}}) == set()

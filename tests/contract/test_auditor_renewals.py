"""The auditor on rollouts that keep the pods: it finds what is forged, and nothing by the book."""

from tests.contract.forged import PREFIX, Forger


def rolling(desired: int = 20) -> Forger:
    """Twenty, of which a rollout may take four at once."""
    return Forger(desired=desired)


def test_a_batch_that_is_renewed_by_the_book_is_no_violation() -> None:
    """Rules 10, 22, 28: announced, given other images, Healthy anew, and then the next."""
    forger = rolling()
    for first in (1, 5):
        names = [f"web-{n}" for n in range(first, first + 4)]
        forger.announce_renewal(*names).after(1).renew(*names).after(1)
        forger.health("Unknown", *names).after(10)
        for name in names:
            forger.annotate(name, "state-change-time", forger.at.isoformat())
        forger.health("True", *names)
        forger.set["status"]["renewals"] = []
        forger.tell()
    assert forger.none()
    assert forger.auditor.rolled() == [f"web-{n}" for n in range(1, 9)]
    assert forger.auditor.renewed() == []


def test_a_renewal_without_a_word_is_found() -> None:
    """Rules 3, 10."""
    assert "unannounced: web-1 was given other images" in rolling().renew("web-1").only()


def test_a_renewal_below_the_floor_is_found() -> None:
    """Rule 22: the others of the batch count as gone from the patch on, whatever they say."""
    forger = rolling().health("False", "web-9").announce_renewal("web-1", "web-2", "web-3", "web-4")
    forger.renew("web-1", "web-2", "web-3", "web-4")
    assert "I7: web-4 was renewed by a rollout below the floor of 16" in forger.only()


def test_a_renewal_of_one_that_is_not_available_asks_no_floor() -> None:
    """Rule 23."""
    forger = rolling().health("False", *(f"web-{n}" for n in range(1, 10)))
    assert forger.announce_renewal("web-1").renew("web-1").none()


def test_a_batch_that_is_too_large_is_found_when_it_is_announced() -> None:
    """Rule 22: maxBatch bounds all that are taken at once."""
    forger = rolling().announce_renewal(*(f"web-{n}" for n in range(1, 5)))
    assert forger.none()
    assert "I7: 5 are renewed by a rollout at once, the batch is 4" in (
        forger.announce_renewal("web-5").only()
    )


def test_a_renewal_of_a_protected_instance_is_found() -> None:
    forger = rolling().announce_renewal("web-1")
    forger.label("web-1", "protect-from-scale-set-actions").renew("web-1")
    assert "I6: web-1 was renewed by a rollout although it is protected" in forger.only()


def test_images_of_another_model_than_announced_are_found() -> None:
    """Rule 10: no older image over a newer model."""
    forger = rolling().announce_renewal("web-1", model="m3").renew("web-1", model="m2")
    assert "web-1 was announced to get model m3 and got m2" in forger.only()


def test_an_instance_under_repair_and_renewal_at_once_is_found() -> None:
    """Rule 10."""
    forger = rolling().health("False", "web-1").after(60).record(("web-1", "web-21"))
    forger.announce_renewal("web-1")
    assert "web-1 is under repair and renewed by a rollout as well" in forger.only()


def test_a_removal_counts_those_that_are_being_renewed_as_gone() -> None:
    """Rule 22: one floor for both ways."""
    forger = rolling().announce_renewal("web-1", "web-2", "web-3", "web-4")
    forger.renew("web-1", "web-2", "web-3", "web-4")
    forger.announce("Rollout", "web-5").delete("web-5")
    assert "I7: web-5 was rolled out below the floor of 16" in forger.only()


def test_a_repair_after_a_renewal_is_judged_by_the_new_start() -> None:
    """A renewal is a state change of ours."""
    forger = rolling().announce_renewal("web-1").renew("web-1").after(10)
    forger.set["status"]["renewals"] = []
    marks = forger.pods["web-1"]["metadata"]["annotations"]
    marks[f"{PREFIX}state-change-time"] = forger.at.isoformat()
    forger.health("False", "web-1").tell().after(60).record(("web-1", "web-21")).delete("web-1")
    assert "I2: web-1 was repaired" in forger.only()

"""The auditor on terminate notices: told, kept, and counted when the deletion comes."""

from datetime import timedelta

from tests.contract.forged import Forger


def told(desired: int = 40) -> Forger:
    """web-1 is unhealthy and was told five minutes ahead; web-<desired + 1> takes its place."""
    forger = Forger(desired=desired)
    number = desired + 1
    forger.health("False", "web-1").give_notice("web-1", f"web-{number}").create(number)
    return forger.runs(f"web-{number}")


def test_a_notice_kept_to_its_deadline_is_no_violation() -> None:
    """Rule 28: a slot is counted from the deletion on, and given back with it."""
    forger = told().after(60).health("True", "web-41")
    assert forger.auditor.max_in_flight == 0
    forger.after(240).delete("web-1").close("web-1").gone("web-1")
    forger.auditor.expect_settled()
    forger.auditor.expect_repaired(["web-1"])
    assert forger.none()


def test_a_deletion_before_the_deadline_is_found() -> None:
    """I8."""
    forger = told().after(120).delete("web-1")
    assert "I8: web-1 was deleted 0:03:00 before its deadline" in forger.only()


def test_an_approval_ends_the_wait() -> None:
    told().after(120).annotate("web-1", "approve-termination", "true").delete("web-1").none()


def test_a_deadline_that_moves_in_the_ledger_is_found() -> None:
    """I8."""
    forger = told()
    later = forger.at + timedelta(minutes=9)
    forger.entry("web-1")["terminateAt"] = later.isoformat()
    assert "I8: the deadline of uid-" in forger.tell().only()


def test_a_deadline_that_somebody_rewrites_on_the_pod_changes_nothing() -> None:
    """What it was told first is what counts."""
    forger = told()
    for text in ("soon", (forger.at - timedelta(hours=1)).isoformat()):
        forger.annotate("web-1", "terminate-at", text)
    assert "I8: web-1 was deleted 0:05:00 before its deadline" in forger.delete("web-1").only()


def test_a_deletion_without_the_notice_that_is_owed_is_found() -> None:
    """I8."""
    forger = Forger(desired=40)
    forger.health("False", "web-1").record(("web-1", "web-41"))
    forger.entry("web-1")["terminateAt"] = forger.at.isoformat()
    forger.tell().delete("web-1")
    assert "I8: web-1 was deleted without the notice" in forger.only()


def test_a_phase_that_nobody_was_told_of_is_found() -> None:
    """I8; rule 8: first the notice, then what follows from it."""
    forger = Forger(desired=40)
    forger.health("False", "web-1").record(("web-1", "web-41"), phase="Notified")
    assert "I8: web-1 is Notified in the ledger and was not told" in forger.only()


def test_a_notice_that_is_shorter_than_promised_is_found() -> None:
    """I8."""
    forger = Forger(desired=40)
    profile = {"enable": True, "notBeforeTimeout": "PT5M"}
    forger.set["spec"]["terminateNotificationProfile"] = profile
    forger.tell().health("False", "web-1").give_notice("web-1", "web-41", seconds=60)
    assert "I8: web-1 was told that it has 0:01:00, promised are 0:05:00" in forger.only()


def test_the_victim_is_judged_when_it_is_told_and_not_when_it_goes() -> None:
    """I2, I3, I6; rule 8: a notice given is carried out."""
    forger = Forger(desired=40)
    forger.give_notice("web-1", "web-41")
    assert "I3: web-1 was repaired although it is Healthy" in forger.only()
    forger = told().after(60).label("web-1", "protect-from-scale-in").health("True", "web-1")
    forger.set["spec"]["automaticRepairsPolicy"]["serviceState"] = "Suspended"
    forger.tell().after(240).delete("web-1")
    assert forger.none()


def test_one_that_was_told_and_is_in_rotation_is_found() -> None:
    """I8; rule 8."""
    forger = told()
    rows = forger.pods["web-1"]["status"]["conditions"]
    rows.append({"type": "scaleset.dev/InRotation", "status": "True"})
    forger.annotate("web-1", "note", "written by somebody")
    assert "I8: web-1 is in rotation although it was told to go" in forger.only()


def test_one_that_stays_past_its_deadline_is_found_at_the_end() -> None:
    """I8: at the deadline deletion is forced."""
    forger = told().after(300).label("web-2", "seen")
    forger.auditor.expect_settled()
    assert all("I4" in text for text in forger.auditor.violations())
    forger.after(60).label("web-2", "again")
    forger.auditor.expect_settled()
    assert "I8: web-1 was to go at" in forger.auditor.violations()[-1]


def test_a_victim_whose_replacement_was_scaled_in_leaves_no_debt() -> None:
    """Rules 6 and 28: enough are there without it."""
    forger = told(desired=20)
    forger.set["spec"]["replicas"] = 19
    forger.entry("web-1")["replacement"] = None
    forger.announce("ScaleIn", "web-21").delete("web-21").gone("web-21").after(300)
    forger.delete("web-1").gone("web-1").close("web-1")
    forger.health("False", "web-2").record(("web-2", "web-22")).delete("web-2")
    assert forger.none()

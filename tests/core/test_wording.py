"""An explanation in words: what is asked, what was compared, and what follows when."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import REASON_TEXT, Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scalesetstatus import RemovalPurpose, RepairDecision
from scaleset_operator.core.explain import Explanation, Fate
from scaleset_operator.core.plan import Decision, Gate
from scaleset_operator.core.wording import answer, question, sentence
from tests.core._stories import entry
from tests.support.fake_clock import T0

HOUR = timedelta(hours=1)
LATER = T0 + HOUR
SAID: Final = "2026-11-21T09:00:00Z"
BEFORE: Final = "2026-11-21T07:00:00Z"


def gate(reason: Reason, *, is_open: bool = False, **fields: Any) -> Gate:
    return Gate(reason=reason, open=is_open, **fields)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (gate(Reason.DISABLED), "repairs are enabled"),
        (gate(Reason.DISABLED, asks="its own question"), "its own question"),
        (gate(Reason.REPAIR_FAILED), REASON_TEXT[Reason.REPAIR_FAILED]),
        (gate("SomethingOfTheFuture"), "SomethingOfTheFuture"),  # type: ignore[arg-type]
    ],
)
def test_a_gate_asks_its_own_question_or_what_its_reason_stands_for(
    asked: Gate, words: str
) -> None:
    """X-11: never nothing."""
    assert question(asked) == words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (gate(Reason.DISABLED, detail="the field"), "the field"),
        (gate(Reason.REPAIR_BACK_OFF, detail="refused", until=LATER), f"refused; until {SAID}"),
        (gate(Reason.REPAIR_BACK_OFF, detail="refused", until=T0), "refused"),
        (gate(Reason.REPAIR_BACK_OFF, detail="refused", until=T0 - HOUR), "refused"),
        (gate(Reason.IN_GRACE_PERIOD, detail=f"until {SAID}", until=LATER), f"until {SAID}"),
        (gate(Reason.SUSPENDED_BY_USER, detail="until then"), "until then"),
        (gate(Reason.STALE_VIEW), ""),
        (gate(Reason.IN_GRACE_PERIOD, is_open=True, until=T0 - HOUR), f"it ended {BEFORE}"),
        (gate(Reason.IN_GRACE_PERIOD, is_open=True, detail="x"), ""),
        (gate(Reason.BATCH_LIMIT_REACHED, is_open=True, detail="0 of 2"), "0 of 2"),
        (gate(Reason.REPAIR_BACK_OFF, is_open=True, detail="x", until=T0 - HOUR), ""),
    ],
)
def test_an_answer_tells_what_was_compared_and_until_when(given: Gate, words: str) -> None:
    """X-11: a time that is past is told of nothing but a grace that has ended."""
    assert answer(given, T0) == words


def test_whoever_shows_a_time_may_write_it_another_way() -> None:
    """X-11."""

    def clock(at: datetime) -> str:
        return f"{at:%H:%M}"

    assert answer(gate(Reason.REPAIR_BACK_OFF, until=LATER), T0, clock) == "until 09:00"
    ended = gate(Reason.IN_GRACE_PERIOD, is_open=True, until=T0 - HOUR)
    assert answer(ended, T0, clock) == "it ended 07:00"
    waits = told(Fate.WAIT, decision=decided(Reason.IN_GRACE_PERIOD, until=LATER))
    assert "not before 09:00;" in sentence(waits, clock)
    unknown = told(
        Fate.NOTHING, health=VMHealth.UNKNOWN, gates=(gate(Reason.HEALTH_UNKNOWN, until=LATER),)
    )
    assert sentence(unknown, clock).endswith("looked at again 09:00.")


def told(fate: Fate, **fields: Any) -> Explanation:
    values: dict[str, Any] = {
        "instance": "web-1",
        "at": T0,
        "health": VMHealth.HEALTHY,
        "since": T0,
        "reason": "Answering",
        "message": "answers as expected",
    }
    return Explanation(fate=fate, **(values | fields))


def decided(reason: Any, decision: Any = RepairDecision.DEFERRED, **fields: Any) -> Decision:
    return Decision(
        instance="web-1",
        health=VMHealth.UNHEALTHY,
        since=T0,
        decision=decision,
        reason=reason,
        message="words",
        **fields,
    )


REPAIR: Final = RepairEntry.model_validate(entry(1, 41, phase="Replacing"))
IN_PLACE: Final = REPAIR.model_copy(update={"replacement": None})
UNKNOWN: Final = {"health": VMHealth.UNKNOWN, "message": "not yet probed"}
NOT_KNOWN: Final = "Nothing to do yet, because its health is not known: not yet probed"


@pytest.mark.parametrize(
    ("explained", "words"),
    [
        (told(Fate.NOTHING), "Nothing to do, because it is Healthy: answers as expected."),
        (told(Fate.NOTHING, message=""), "Nothing to do, because it is Healthy: Answering."),
        (told(Fate.NOTHING, **UNKNOWN), f"{NOT_KNOWN}."),
        (
            told(Fate.NOTHING, **UNKNOWN, gates=(gate(Reason.HEALTH_UNKNOWN, until=LATER),)),
            f"{NOT_KNOWN}; looked at again {SAID}.",
        ),
        (
            told(Fate.WAIT, decision=decided(Reason.IN_GRACE_PERIOD, until=LATER)),
            f"Deferred/InGracePeriod: not before {SAID}; then it needs a free slot.",
        ),
        (
            told(Fate.WAIT, decision=decided(Reason.HEALTH_UNKNOWN, until=T0)),
            "Deferred/HealthUnknown: until its health is known.",
        ),
        (
            told(Fate.WAIT, decision=decided(Reason.BATCH_LIMIT_REACHED), ahead=3),
            "Deferred/BatchLimitReached: at the first free slot, after 3 that wait for longer.",
        ),
        (
            told(Fate.WAIT, decision=decided(Reason.DISABLED, RepairDecision.SKIPPED)),
            "Skipped/Disabled: until automaticRepairsPolicy.enabled is set to true.",
        ),
        (
            told(Fate.WAIT, decision=decided(Reason.STALE_VIEW)),
            f"Deferred/StaleView: {REASON_TEXT[Reason.STALE_VIEW]}",
        ),
        (
            told(Fate.WAIT, decision=decided("SomethingOfTheFuture")),
            "Deferred/SomethingOfTheFuture: ",
        ),
        (told(Fate.WAIT), ""),
        (
            told(Fate.REPAIR),
            "Repair: every gate is open and a slot is free, so it is repaired now.",
        ),
        (
            told(
                Fate.IN_REPAIR,
                entry=REPAIR,
                decision=decided(Reason.WAITING_FOR_HEALTH, RepairDecision.REPAIRING),
            ),
            "Repairing/WaitingForHealth: Replacing, replaced by web-41.",
        ),
        (
            told(
                Fate.IN_REPAIR,
                entry=IN_PLACE,
                decision=decided(Reason.RESTARTING, RepairDecision.REPAIRING),
            ),
            "Repairing/Restarting: Replacing.",
        ),
        (told(Fate.IN_REPAIR, entry=REPAIR), ""),
        (told(Fate.IN_REPAIR, decision=decided(Reason.RESTARTING)), ""),
        (
            told(Fate.REPLACES, instance="web-41", entry=REPAIR),
            "It replaces web-1; that repair is closed when it is Healthy.",
        ),
        (
            told(Fate.LEAVES, purpose=RemovalPurpose.SCALE_IN),
            "It is removed: fewer instances are wanted.",
        ),
        (
            told(Fate.TERMINATING, entry=REPAIR),
            "It is being deleted by its repair; web-41 takes its place.",
        ),
        (
            told(Fate.TERMINATING, instance="web-41", entry=REPAIR),
            "Its deletion was accepted; it is made up for.",
        ),
        (told(Fate.TERMINATING), "Its deletion was accepted; it is made up for."),
    ],
)
def test_a_sentence_says_what_follows_and_when(explained: Explanation, words: str) -> None:
    """X-11, P-21: one sentence, for every fate."""
    assert sentence(explained) == words

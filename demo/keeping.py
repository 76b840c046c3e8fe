"""The demo that stays: tells how to use the cluster by hand, and breaks what a person asks for.

Must not know: what was shown before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from demo.books import ANSWER
from demo.endpoints import OPEN, BadScriptError
from demo.narrating import Narrator
from demo.screen import Style
from demo.stage import SET
from demo.telling import instance_id

if TYPE_CHECKING:
    from demo.books import Life
    from demo.stage import Stage

_EACH: Final = "{range .status.unhealthyInstances[*]}"
_WHY: Final = f"""'{_EACH}{{.name}} {{.reason}} {{.eligibleTime}}{{"\\n"}}{{end}}'"""
_SUSPEND: Final = """'{"spec":{"automaticRepairsPolicy":{"serviceState":"Suspended"}}}'"""


def keep(stage: Stage) -> None:
    """Stay until a signal, telling what happens; raises DemoError when the operator ends."""
    _explain(stage)
    answers: dict[str, str] = {}
    narrator = Narrator(stage)

    def on_pod(life: Life) -> None:
        if life.live and life.address and answers.get(life.name, "") != life.answer:
            answers[life.name] = life.answer
            _set(stage, life)
        narrator.tell_pod(life)

    stage.on_pod = on_pod
    stage.stay()


def _set(stage: Stage, life: Life) -> None:
    wanted = life.answer or OPEN
    try:
        stage.endpoints.tell([life], wanted)
    except BadScriptError as error:
        stage.screen.line(f"{ANSWER} of {life.name}: {error}", Style.BAD)
    else:
        stage.screen.line(f"{life.name} is told: {wanted}", Style.BAD)


def _explain(stage: Stage) -> None:
    screen = stage.screen
    screen.headline("It stays up until Ctrl-C. What to try next, in another terminal")
    for line in stage.venue.entrance:
        screen.example(line)
    for text, command in (
        ("watch the set", f"kubectl get sset {SET} --watch"),
        (
            f"break an instance ({stage.endpoints.scripts})",
            f"kubectl annotate pod {_youngest(stage)} {ANSWER}=status:500",
        ),
        (
            "ask why",
            f"kubectl get sset {SET} -o jsonpath={_WHY}",
        ),
        (
            "suspend repairs",
            f"kubectl patch sset {SET} --type=merge -p {_SUSPEND}",
        ),
        ("scale", f"kubectl scale sset/{SET} --replicas=60"),
        ("read what happened", "kubectl get events"),
        ("read about a field", "kubectl explain scaleset.spec.automaticRepairsPolicy"),
        ("read the operator's log", stage.operator.reading),
    ):
        screen.note(f"{text}:", Style.FAINT)
        screen.example(command)


def _youngest(stage: Stage) -> str:
    return max(
        (life.name for life in stage.books.lives.values() if life.live),
        key=instance_id,
    )

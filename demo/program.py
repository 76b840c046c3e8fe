"""The demo as a program: its arguments, its steps in order, its end.

Ends with 0 when everything it promises was seen to hold, 1 when not, 2 when it was asked for what
it cannot do, 128 + the signal's number when it was stopped. Whatever it started ends with it, also
when it is killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING, Final

from demo import acts, pretended, real
from demo.breaking import HEADS
from demo.failure import DemoError
from demo.keeping import keep
from demo.proof import claims
from demo.screen import Screen, Style
from demo.stage import Stage
from demo.stopping import Stopped, Stopping
from localcluster.binaries import MissingToolsError
from localcluster.build import BuildError
from localcluster.cluster import KubectlError
from localcluster.commands import CommandError
from localcluster.controlplane import StartError
from localcluster.kind.machine import ImpossibleError
from localcluster.restricted.engine import EngineError
from localcluster.slots import NoSlotError
from localcluster.supervisor import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILURES: Final = (
    DemoError,
    MissingToolsError,
    BuildError,
    StartError,
    NoSlotError,
    SupervisorError,
    KubectlError,
    ImpossibleError,
    CommandError,
    EngineError,
)
"""Each with a message that a person can use."""
VENUES: Final = {"local": pretended.venue, "kind": real.venue}
CANNOT: Final = 2
_SIGNAL_BASE: Final = 128


def main(arguments: Sequence[str]) -> int:
    """Run the demo; gives the exit status."""
    options = _parser().parse_args(arguments)
    if options.cluster not in VENUES:
        known = " and ".join(VENUES)
        print(f"There is no CLUSTER={options.cluster}: only {known}.", file=sys.stderr)
        return CANNOT
    stopping = Stopping()
    stopping.listen()
    screen = Screen(sys.stdout)
    try:
        return _play(screen, options.cluster, stopping, stays=options.keep)
    except Stopped as stopped:
        stopping.heard()
        screen.gap()
        screen.line("stopped; every process of the demo has ended")
        return _SIGNAL_BASE + stopped.number
    except BrokenPipeError:
        # Nobody reads any more; the interpreter's own last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGNAL_BASE + signal.SIGPIPE
    except FAILURES as error:
        screen.gap()
        first, *rest = str(error).splitlines() or [type(error).__name__]
        screen.line(f"FAILED: {first}", Style.BAD)
        for piece in rest:
            screen.note(piece)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="Watch a ScaleSet of 40 instances being broken and repaired, on a real"
        " Kubernetes control plane that runs as plain processes, or in a kind cluster. A minute and"
        " a half, or four; the very first run builds what it needs before, about ten minutes more.",
        epilog="By make, options go into ARGS: make demo ARGS=--keep",
    )
    parser.add_argument(
        "--keep", action="store_true", help="stay at the end, to try things, until Ctrl-C"
    )
    parser.add_argument(
        "--cluster",
        default=os.environ.get("CLUSTER") or "local",
        metavar="NAME",
        help="where it runs: local, which needs Go alone, or kind, with real nodes and pods"
        " (default: CLUSTER, or local)",
    )
    return parser


def _play(screen: Screen, where: str, stopping: Stopping, *, stays: bool) -> int:
    screen.text(
        f"A ScaleSet of {acts.REPLICAS} instances is broken and repaired, on a real Kubernetes"
        " control plane: some minutes. Ctrl-C ends it, and all that it started, at any time."
    )
    with VENUES[where](screen) as venue, Stage(screen, venue) as stage:
        return _acts(stage, stopping, stays=stays)


def _acts(stage: Stage, stopping: Stopping, *, stays: bool) -> int:
    screen = stage.screen
    screen.headline(f"Create a ScaleSet of {acts.REPLICAS}")
    acts.create(stage)
    screen.headline("Break five of them")
    broken = acts.break_five(stage)
    screen.headline("Watch the repairs, two at a time")
    acts.watch_repairs(stage, broken)
    screen.headline("Now all 40 fall silent at once: are they dead, or is the operator blind?")
    untouched = acts.fall_silent(stage)

    screen.headline("What was seen")
    screen.table(HEADS, broken.rows())
    screen.note("Seconds since they were broken; TOOK: from the deletion to a Healthy successor.")
    screen.gap()
    screen.note("Counted by the demo itself from the API server's watch of pods:")
    found = list(claims(stage.books, broken, untouched_in_silence=untouched))
    for claim in found:
        screen.note(
            f"{'held  ' if claim.held else 'BROKEN'}  {claim.text}",
            Style.GOOD if claim.held else Style.BAD,
        )
    if not all(claim.held for claim in found):
        message = (
            "not everything that the operator promises held; its log ends with:\n"
            + stage.operator.tail()
        )
        raise DemoError(message)
    if stays:
        _keep(stage, stopping)
    else:
        _try_next(screen, stage.venue.command)
    return 0


def _keep(stage: Stage, stopping: Stopping) -> None:
    try:
        keep(stage)
    except Stopped as stopped:
        stopping.heard()
        if stopped.number != signal.SIGINT:
            raise


def _try_next(screen: Screen, command: str) -> None:
    screen.headline("What to try next")
    for text, example in (
        ("the same, and it stays up for your own kubectl", f"{command} ARGS=--keep"),
        ("everything that proves what you just saw", "make test"),
        ("every reason, and what it means", "less docs/reasons.md"),
        ("the same by hand, and on a cluster of your own", "less docs/quickstart.md"),
    ):
        screen.note(f"{text}:")
        screen.example(example)

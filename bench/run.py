"""`make bench`: the figures, each beside its peer in the same run, as a table and as JSON.

It chooses what runs and writes down what came of it; how things are measured is known elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[1]
# Started as a file: its own folder is on the path, and its parent has to be.
sys.path.insert(0, str(ROOT))

from bench import fleet, machine, probing, scale  # noqa: E402
from bench.goals import GOALS, Findings, table  # noqa: E402
from bench.sizes import FULL, SEED, SMOKE, Size  # noqa: E402
from localcluster import binaries, build  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS = ROOT / "bench" / "results" / "latest.json"
_PACKAGES = ("scaleset-operator", "kopf", "aiohttp", "uvloop", "orjson", "pydantic", "kubernetes")


def main() -> int:
    """Run; returns 0 when every wanted figure was taken, reached or not."""
    arguments = _arguments()
    size = SMOKE if arguments.smoke else FULL
    known = list(dict.fromkeys(goal.number for goal in GOALS.values()))
    wanted = arguments.only.split(",") if arguments.only else known
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"no such goal: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
        return 2
    begun = time.monotonic()
    findings = Findings(budget=size.budget)
    build.find_or_build()
    for phase, numbers in _phases(size, findings):
        chosen = numbers & set(wanted)
        if chosen:
            _run(phase, chosen, findings)
    rows = findings.rows([number for number in known if number in wanted])
    report = {
        "schema": 1,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - begun, 1),
        "conditions": _conditions(smoke=arguments.smoke),
        "rows": rows,
    }
    path = Path(arguments.output)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\n{table(rows)}\n\n{_summary(report)}\nwritten: {path}")
    return 1 if findings.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="once, and small: does it all work?")
    parser.add_argument("--only", metavar="G1,G8", help="take these goals only")
    parser.add_argument(
        "--output", default=str(RESULTS), metavar="FILE", help=f"of the JSON (default {RESULTS})"
    )
    return parser.parse_args()


def _phases(size: Size, findings: Findings) -> list[tuple[Callable[[Any], None], frozenset[str]]]:
    """Give what runs, one after the other, and the goals each takes."""
    breaking = frozenset({"G3"})
    in_fleet, in_scale = (frozenset(), breaking) if size.broken else (breaking, frozenset())
    return [
        (lambda chosen: probing.measure(size, findings, chosen), frozenset({"G1", "G2"})),
        (
            lambda chosen: asyncio.run(fleet.measure(size, findings, chosen)),
            fleet.NUMBERS | in_fleet,
        ),
        (
            lambda chosen: asyncio.run(scale.measure(size, findings, chosen)),
            scale.NUMBERS | in_scale,
        ),
    ]


def _run(phase: Callable[[Any], None], chosen: frozenset[str], findings: Findings) -> None:
    """Run a phase; what it does not get to is a failure of its goals, not of the others."""
    print(f"--- {', '.join(sorted(chosen, key=_place))}", flush=True)
    begun = time.monotonic()
    try:
        phase(chosen)
    except Exception as error:  # noqa: BLE001 - the other figures are still wanted
        traceback.print_exc()
        for number in chosen:
            findings.failures[number] = f"{type(error).__name__}: {error}"
    print(f"    {time.monotonic() - begun:.0f} s", flush=True)


def _place(number: str) -> int:
    return int(number[1:])


def _conditions(*, smoke: bool) -> dict[str, Any]:
    said = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, check=False
    ).stdout
    return {
        **machine.describe(),
        "smoke": smoke,
        "seed": SEED,
        "fsync": "off: etcd runs with --unsafe-no-fsync",
        "noise": f"a round is noisy above {100 * machine.MOST_FOREIGN:g} % foreign CPU or steal",
        "kubernetes": binaries.KUBERNETES,
        "etcd": binaries.ETCD,
        "kwok": binaries.KWOK,
        "go": subprocess.run(["go", "version"], capture_output=True, check=True).stdout.decode(),
        "commit": said.decode().strip() or "unknown",
        "packages": {name: version(name) for name in _PACKAGES},
    }


def _summary(report: dict[str, Any]) -> str:
    rows, conditions = report["rows"], report["conditions"]
    counts = ", ".join(
        f"{sum(row['reached'] == verdict for row in rows)} {name}"
        for verdict, name in (("yes", "reached"), ("no", "not reached"), ("noisy", "noisy"))
    )
    return (
        f"{counts}; {report['seconds']:.0f} s on {conditions['cores']} cores of "
        f"{conditions['cpu']}; Kubernetes {conditions['kubernetes']}, KWOK {conditions['kwok']}, "
        f"Python {conditions['python']}; {conditions['fsync']}; seed {conditions['seed']}"
    )


if __name__ == "__main__":
    sys.exit(main())

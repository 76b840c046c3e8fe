"""A rehearsal set up from manifests, run, and shown.

Must not know: how a scenario is written, or what the operator decides.
"""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from scaleset_operator.api.base import GROUP
from scaleset_operator.cli import timeline
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.manifest_file import Manifests, read_file
from scaleset_operator.cli.rehearsed import as_data, exit_of, show
from scaleset_operator.cli.scenario import read_scenario
from scaleset_operator.cli.snapshot import saved, taken
from scaleset_operator.cli.spans import read_span
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.events import Event, NobodyMeantError
from scaleset_operator.rehearsal.rehearsal import Rehearsal
from scaleset_operator.rehearsal.snapshot import restore
from scaleset_operator.rehearsal.summary import summary_of

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a rehearsal of manifests begins: always the same moment, so that it is always the same."""
LONGEST: Final = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be rehearsed, as the command line says it."""

    name: str | None
    file: str | None
    events: tuple[Event, ...]
    until: timedelta
    start_after: timedelta
    nodes: int
    seed: int
    html: str | None
    save: str | None


def events_of(text: str, file: str | None) -> tuple[Event, ...]:
    """The scenario of both options; raises Failure where it cannot be read."""
    if file is None:
        return read_scenario(text)
    try:
        written = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        line = f"--scenario-file is {file!r}, which cannot be read: {fault}"
        raise Failure(line) from fault
    return (*read_scenario(text), *read_scenario(written))


def span_of(text: str, option: str) -> timedelta:
    """A span of at most a month; raises Failure."""
    found = read_span(text, option)
    if found > LONGEST:
        line = f"{option} is {text!r}: allowed are at most {LONGEST.days}d"
        raise Failure(line)
    return found


async def rehearse(call: Call, wish: Wish) -> int:
    """Run the rehearsal and show it; gives the exit code.

    Raises:
        Failure: the manifests or the scenario cannot be used.
    """
    manifests = await _manifests(call, wish)
    if wish.save is not None:
        saved(manifests, wish.save)
    run = staged(manifests, wish)
    try:
        await run.run(wish.until, wish.events)
    except NobodyMeantError as fault:
        after = int((fault.at - run.begin).total_seconds())
        line = f"scenario, {after} s after the begin: {fault}"
        raise Failure(line) from fault
    summary = summary_of(run)
    if wish.html is not None:
        _write(wish.html, timeline.page(run, summary))
    if call.wants_data:
        call.print_data(as_data(run, summary))
    else:
        show(call, run, summary)
    return exit_of(summary)


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as fault:
        line = f"{file} cannot be written: {fault.strerror}"
        raise Failure(line) from fault
    # Beside the data on standard output, and no part of it.
    sys.stderr.write(f"{file} written\n")


async def _manifests(call: Call, wish: Wish) -> Manifests:
    """Of the file, or of the cluster as it is now."""
    if wish.file is not None:
        found = read_file(wish.file, wish.name, call.given_namespace)
        if found.ignored:
            sys.stderr.write(f"note: {wish.file}: left out: {', '.join(found.ignored)}\n")
        for probe in found.missing_probes():
            line = f"the set names HealthProbe {probe}, which is not in it: nothing is repaired"
            sys.stderr.write(f"note: {wish.file}: {line}\n")
        return found
    async with call.access() as access:
        namespace = call.namespace(access)
        return await taken(access, namespace, wish.name or "", call.entrance.now())


def staged(manifests: Manifests, wish: Wish) -> Rehearsal:
    """The rehearsal with everything in it, before its first moment."""
    meta = manifests.scale_set["metadata"]
    key = Key(meta["namespace"], meta["name"])
    begin = (manifests.taken or BEGIN).replace(microsecond=0)
    nodes = 0 if manifests.is_snapshot else wish.nodes
    run = Rehearsal(key, begin, seed=wish.seed, nodes=nodes)
    run.start_after = wish.start_after.total_seconds()
    if manifests.is_snapshot:
        restore(run, manifests.scale_set, manifests.others)
        return run
    for body in (*manifests.others, manifests.scale_set):
        where = (body["kind"], key.namespace, body["metadata"]["name"])
        if body["kind"] in ("ScaleSet", "HealthProbe", "PodDisruptionBudget"):
            run.server.apply(*where, body["spec"])
            ours = {
                name.removeprefix(f"{GROUP}/").replace("-", "_"): text
                for name, text in (body["metadata"].get("annotations") or {}).items()
                if name.startswith(f"{GROUP}/")
            }
            run.server.annotate(*where, **ours)
    return run

"""`simulate`: what the operator would do, rehearsed in virtual time with the operator's own loop.

Must not know: what the loop decides, or how a cluster in memory works.
"""

from typing import Annotated, Final

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.completion import scale_sets
from scaleset_operator.cli.failures import Failure

MOST_NODES: Final = 1_000


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "simulate")(simulate)


File = Annotated[
    str | None,
    typer.Option("--filename", "-f", metavar="FILE", help="Manifests; - for standard input."),
]
Scenario = Annotated[
    str, typer.Option(metavar="TEXT", help="What happens: 'at=5m fail=12%; at=40m recover'.")
]
ScenarioFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="The same from a file, an event a line.")
]
Until = Annotated[str, typer.Option(metavar="SPAN", help="How long to rehearse.")]
StartAfter = Annotated[
    str, typer.Option(metavar="SPAN", help="From a new instance's node to its containers' start.")
]
Nodes = Annotated[int, typer.Option(min=1, max=MOST_NODES, help="How many nodes.")]
Seed = Annotated[int, typer.Option(help="Of the lots that percentages draw.")]
Html = Annotated[
    str | None, typer.Option(metavar="FILE", help="Write a timeline as one HTML page.")
]
Save = Annotated[
    str | None,
    typer.Option("--save-snapshot", metavar="FILE", help="Keep what is rehearsed, for -f."),
]
Replay = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Replay a recording of `scaleset-operator run --record`."),
]


async def simulate(
    call: Call,
    name: Annotated[str | None, typer.Argument(metavar="SET", autocompletion=scale_sets)] = None,
    *,
    file: File = None,
    scenario: Scenario = "",
    scenario_file: ScenarioFile = None,
    until: Until = "3h",
    start_after: StartAfter = "20s",
    nodes: Nodes = 3,
    seed: Seed = 0,
    html: Html = None,
    save: Save = None,
    replay: Replay = None,
) -> int:
    """Rehearse a ScaleSet: the operator's own loop in virtual time, hours in seconds.

    Nothing is sent to the cluster. Exit code: 0 all healthy at the end, 1 error, 2 degraded,
    3 repairs suspended; of --replay 0 the same acts, 2 others.
    """
    from scaleset_operator.cli import rehearsing, replaying

    if replay is not None:
        return await replaying.replay(call, replay)
    if file is None and name is None:
        line = "nothing to rehearse: give -f FILE, or the name of a SET in the cluster"
        raise Failure(line)
    wish = rehearsing.Wish(
        name=name,
        file=file,
        events=rehearsing.events_of(scenario, scenario_file),
        until=rehearsing.span_of(until, "--until"),
        start_after=rehearsing.span_of(start_after, "--start-after"),
        nodes=nodes,
        seed=seed,
        html=html,
        save=save,
    )
    return await rehearsing.rehearse(call, wish)

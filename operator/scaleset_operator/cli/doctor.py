"""`doctor`: what stands in the way of the operator or of the plugin, check by check.

Must not know: what is checked, or how.
"""

from typing import Annotated

import typer

from scaleset_operator.cli.call import Call, command
from scaleset_operator.cli.failures import Exit


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    command(app, "doctor")(doctor)


async def doctor(
    call: Call,
    operator: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="The operator's account (default: that of the operator's pod, if one is found).",
        ),
    ] = None,
) -> int:
    """Look for what keeps the operator from its work. Exit code: 0 nothing, 1 error, 2 found some.

    What cannot be seen is said to be unknown, and is no failure.
    """
    from scaleset_operator.cli.diagnosis.check import MARKS, failed
    from scaleset_operator.cli.diagnosis.examination import Scope, examine
    from scaleset_operator.cli.printing import print_facts

    async with call.access() as access:
        scope = Scope(
            access=access,
            entrance=call.entrance,
            namespace=call.scope(access),
            operator=operator,
        )
        checks = await examine(scope)
    if call.wants_data:
        call.print_data({"items": [check.data() for check in checks]})
    else:
        facts = [
            (
                f"{MARKS[check.verdict]} {check.name}",
                "; ".join(filter(None, (check.message, check.hint))),
            )
            for check in checks
        ]
        print_facts(call.console, facts)
    return Exit.DEGRADED if failed(checks) else Exit.FINE

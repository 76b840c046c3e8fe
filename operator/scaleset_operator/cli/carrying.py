"""What every command that changes something shares: consent, several objects, what is printed.

Must not know: any one wish.
"""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from scaleset_operator.cli.failures import Exit, Failure

if TYPE_CHECKING:
    from scaleset_operator.cli.acting import Agree, Decide, Done
    from scaleset_operator.cli.call import Call
    from scaleset_operator.cli.kinds import Kind


def somebody_is_there() -> bool:
    """Whether a question can be answered."""
    return sys.stdin.isatty()


def consent(*, given: bool) -> "Agree":
    """How a question is answered: by --yes, else by the person at the terminal."""

    def agree(question: str) -> None:
        import typer

        if given:
            return
        if not somebody_is_there():
            line = f"{question} Nobody is here to answer: --yes says it beforehand"
            raise Failure(line)
        if not typer.confirm(question, err=True):
            line = "nothing was changed"
            raise Failure(line)

    return agree


async def carry_out_each(
    call: "Call", kind: "Kind", names: Sequence[str], decide: "Decide", *, yes: bool = True
) -> int:
    """Carry a wish out on each of some objects and print what was and what is.

    One that fails is told and stops no other; the exit code then says so.
    """
    from scaleset_operator.cli.acting import carry_out

    done: list[Done] = []
    failed = Exit.FINE
    async with call.access() as access:
        namespace = call.namespace(access)
        for name in dict.fromkeys(names):
            try:
                agree = consent(given=yes)
                done.append(await carry_out(access, kind, (namespace, name), decide, agree))
            except Failure as failure:
                if len(names) == 1:
                    raise
                sys.stderr.write(f"error: {failure}\n")
                failed = failure.code
    if call.wants_data:
        call.print_data({"items": [each.data() for each in done]})
    else:
        sys.stdout.writelines(f"{each.line()}\n" for each in done)
    return failed

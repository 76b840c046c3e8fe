"""`import-csdef FILE`: the probes of an Azure service definition, as YAML for `kubectl apply`.

Must not know: the schema of either side; that is `csdef`'s.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from scaleset_operator.cli.failures import Exit

STDIN: Final = "-"
LONGEST_NAME: Final = 63


def add_to(app: typer.Typer) -> None:
    """Register the command; it speaks to no cluster, so it has no options of one."""
    app.command("import-csdef")(import_csdef)


def import_csdef(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A .csdef file; - for standard input.")
    ],
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", metavar="NAME", help="Written into each HealthProbe."),
    ] = None,
) -> None:
    """Print the HealthProbes that an Azure service definition's LoadBalancerProbes come to.

    What was changed is said on standard error. A file with a fault gives nothing but its faults,
    each with its line.
    """
    import yaml

    from scaleset_operator.cli.csdef import convert

    _check(namespace)
    found = convert(_read(file))
    for remark in found.faults or found.remarks:
        word = "error" if found.faults else "note"
        sys.stderr.write(f"{word}: {file}:{remark.line}: {remark.text}\n")
    if found.faults:
        raise typer.Exit(Exit.ERROR)
    for probe in found.probes:
        text = yaml.safe_dump(probe.manifest(namespace), sort_keys=False)
        sys.stdout.write(f"---\n# {probe.heading()}\n{text}")


def _check(namespace: str | None) -> None:
    import re

    from scaleset_operator.api.base import DNS_LABEL_PATTERN

    if namespace is None:
        return
    if len(namespace) > LONGEST_NAME or not re.fullmatch(DNS_LABEL_PATTERN, namespace):
        sys.stderr.write(
            f"error: --namespace is {namespace!r}: allowed are 1 to {LONGEST_NAME} lower-case "
            "letters, digits and -\n"
        )
        raise typer.Exit(Exit.ERROR)


def _read(file: str) -> bytes:
    """At most a byte more than is allowed, so that an endless file ends."""
    from scaleset_operator.cli.csdef_xml import MAX_BYTES

    if file == STDIN:
        return sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as fault:
        sys.stderr.write(f"error: FILE is {file!r}, which cannot be read: {fault.strerror}\n")
        raise typer.Exit(Exit.ERROR) from fault

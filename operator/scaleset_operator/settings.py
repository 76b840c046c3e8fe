"""The environment and the command line, read once into one frozen value."""

import argparse
from dataclasses import dataclass
from typing import Final

DEFAULT_PORT: Final = 8443


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this operator runs.

    Attributes:
        namespaces: those it serves; empty means all.
        port: where health is answered; taken, a free one is used and logged.
        verbose: whether every decision is logged.
    """

    namespaces: tuple[str, ...] = ()
    port: int = DEFAULT_PORT
    verbose: bool = False


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `run`."""
    parser.add_argument(
        "--namespace",
        "-n",
        action="append",
        default=[],
        metavar="NAME",
        help="serve this namespace only; may be given several times (default: all)",
    )
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help=f"port of /healthz and /readyz (default {DEFAULT_PORT}; a free one if it is taken)",
    )
    parser.add_argument("--verbose", "-v", action="store_true", help="log every decision")


def from_arguments(arguments: argparse.Namespace) -> Settings:
    """The settings that these parsed arguments mean."""
    return Settings(
        namespaces=tuple(arguments.namespace), port=arguments.port, verbose=arguments.verbose
    )

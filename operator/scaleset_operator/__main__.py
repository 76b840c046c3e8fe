"""The program: wires the parts together, and holds the only clock.

Decides nothing. `run` is the operator; `agent` is what runs on each node; `crds` writes the
generated files; `plugin` is the kubectl plugin, a console script of its own.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from scaleset_operator import __version__
from scaleset_operator.agent.options import (
    AgentOptions,
    add_agent_options,
    from_agent_arguments,
)
from scaleset_operator.settings import (
    BadSettingError,
    LogFormat,
    Settings,
    add_run_options,
    from_arguments,
)

if TYPE_CHECKING:
    from scaleset_operator.cli.ports import Client, Target
    from scaleset_operator.core.attempts import Attempted
    from scaleset_operator.reconciler.ports import ProbeTarget
    from scaleset_operator.reconciler.recorder import Write

SWITCH_INTERVAL_S = 0.0005


class SteadyClock:
    """Wall time as of the start, carried on by CLOCK_BOOTTIME: later steps do not show (X-10)."""

    def __init__(self) -> None:
        self._began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._began = datetime.now(UTC)

    def now(self) -> datetime:
        """Aware datetime in UTC."""
        return self.at(self.boottime_ns())

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def at(self, boottime_ns: int) -> datetime:
        """The time at which CLOCK_BOOTTIME stood there."""
        return self._began + timedelta(microseconds=(boottime_ns - self._began_ns) / 1_000)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.verb == "crds":
        return _crds(Path(arguments.output), Path(arguments.docs), check=arguments.check)
    if arguments.verb == "agent":
        try:
            options = from_agent_arguments(arguments)
        except ValueError as problem:
            parser.error(str(problem))
        return _agent(options)
    try:
        settings = from_arguments(arguments, os.environ)
    except BadSettingError as problem:
        parser.error(str(problem))
    return _run(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scaleset-operator",
        description="Keeps ScaleSets of a Kubernetes cluster as they are wanted, and repairs their "
        "instances with care. It needs a kubeconfig (KUBECONFIG, or ~/.kube/config) or a pod's "
        "service account.",
        epilog="What it does and why is asked with `kubectl scaleset`, which comes with it.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True)
    add_run_options(verbs.add_parser("run", help="run the operator until it is stopped"))
    agent = verbs.add_parser("agent", help="run the node agent: outbound ports, pauses in place")
    add_agent_options(agent, os.environ)
    crds = verbs.add_parser("crds", help="write what is generated: definitions, pages of docs")
    crds.add_argument("--output", default="crds", metavar="FOLDER", help="where (default crds)")
    crds.add_argument(
        "--docs",
        default="docs",
        metavar="FOLDER",
        help="where api.md, reasons.md and metrics.md go (default docs)",
    )
    crds.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    return parser


def _crds(folder: Path, docs: Path, *, check: bool) -> int:
    from scaleset_operator.adapters.metrics import page  # noqa: PLC0415 - as below
    from scaleset_operator.api import crd, reasons_page, reference  # noqa: PLC0415 - slow, rare

    files = {folder / name: text for name, text in crd.custom_resource_definitions().items()}
    files[docs / reference.REFERENCE_FILE] = reference.reference_page()
    files[docs / reasons_page.REASONS_FILE] = reasons_page.reasons_page()
    files[docs / page.METRICS_FILE] = page.metrics_page()
    stale: list[str] = []
    for path, text in files.items():
        if check:
            if not path.exists() or path.read_text() != text:
                stale.append(str(path))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path_name in stale:
        print(f"{path_name} is not what `make crds` writes", file=sys.stderr)
    return 1 if stale else 0


def _run(settings: Settings) -> int:
    import uvloop  # noqa: PLC0415 - `crds` needs no event loop

    from scaleset_operator.adapters import logs  # noqa: PLC0415 - as above

    as_json = settings.log_format is LogFormat.JSON
    if settings.log_format is LogFormat.AUTO:
        as_json = not sys.stderr.isatty()
    logs.set_up(sys.stderr, settings.log_level, as_json=as_json)
    # The loop must not wait 5 ms for the processor while kopf reads the echo of our own write.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.ExitStack() as files:
        record = None
        if settings.record:
            try:
                record = files.enter_context(_opened(settings.record)).write
            except OSError as fault:
                line = f"--record: {settings.record!r} cannot be written: {fault.strerror}"
                logging.getLogger(__name__).critical("%s", line)
                return 1
        return uvloop.run(_serve(settings, record))


def _agent(options: AgentOptions) -> int:
    import uvloop  # noqa: PLC0415 - as above

    from scaleset_operator.adapters import logs  # noqa: PLC0415 - as above

    logs.set_up(sys.stderr, options.log_level, as_json=not sys.stderr.isatty())
    return uvloop.run(_serve_agent(options))


async def _serve_agent(options: AgentOptions) -> int:
    """Run the agent, or take it away, until a signal ends it."""
    from scaleset_operator.adapters.cluster.credentials import (  # noqa: PLC0415 - as below
        UnusableKubeconfigError,
    )
    from scaleset_operator.adapters.listening import CannotListenError  # noqa: PLC0415 - as below
    from scaleset_operator.agent_operation import (  # noqa: PLC0415 - imports the client
        AgentOperation,
        served_while_away,
        uninstall,
    )

    stop = _stopped()
    try:
        if options.uninstall:
            status = await asyncio.to_thread(uninstall, options, SteadyClock())
            if options.stay and not status:
                with served_while_away(options):
                    await stop.wait()
            return status
        async with AgentOperation(options, SteadyClock()):
            await stop.wait()
    except (CannotListenError, UnusableKubeconfigError, OSError) as fault:
        logging.getLogger(__name__).critical("%s", fault)
        return 1
    return 0


def _stopped() -> asyncio.Event:
    """Set once a signal asks for the end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _opened(file: str) -> AbstractContextManager[TextIO]:
    """A file that is added to, line by line: what a killed operator wrote is there."""
    return Path(file).open("a", encoding="utf-8", buffering=1)


async def _serve(settings: Settings, record: "Write | None" = None) -> int:
    """Run the operator until a signal ends it; `record` takes the lines of its recording."""
    from scaleset_operator.adapters.cluster.credentials import (  # noqa: PLC0415 - as below
        UnusableKubeconfigError,
    )
    from scaleset_operator.adapters.listening import CannotListenError  # noqa: PLC0415 - as below
    from scaleset_operator.operation import Operation  # noqa: PLC0415 - imports every client

    stop = _stopped()
    try:
        async with Operation(settings, SteadyClock(), record):
            await stop.wait()
    except (CannotListenError, UnusableKubeconfigError) as fault:
        logging.getLogger(__name__).critical("%s", fault)
        return 1
    return 0


class PluginEntrance:
    """The plugin's way into the world: the wall clock, and a connection to the cluster."""

    def now(self) -> datetime:
        """Aware datetime in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """See the port."""
        await asyncio.sleep(seconds)

    def attempt(self, targets: "Sequence[ProbeTarget]") -> "Sequence[Attempted]":
        """See the port."""
        from scaleset_operator.adapters import probes  # noqa: PLC0415 - as below

        return probes.attempted(targets)

    def connect(self, target: "Target") -> AbstractAsyncContextManager["Client"]:
        """See the port."""
        from scaleset_operator.adapters.cluster import client  # noqa: PLC0415 - slow: on use only

        return client.path_client(target.kubeconfig, target.context, target.user)


def plugin() -> None:
    """Run the kubectl plugin, `kubectl scaleset`; ends in SystemExit."""
    from scaleset_operator.cli import app  # noqa: PLC0415 - the operator needs no command line

    # What the library says about a kubeconfig is in the one line that the plugin prints.
    logging.disable(logging.WARNING)
    app.main(sys.argv[1:], PluginEntrance())


def complete() -> None:
    """What kubectl asks for when Tab is pressed behind `kubectl scaleset` (`kubectl_complete-`)."""
    from scaleset_operator.cli import app  # noqa: PLC0415 - as above

    logging.disable(logging.WARNING)
    print(app.completions(sys.argv[1:], PluginEntrance()))


if __name__ == "__main__":
    sys.exit(main())

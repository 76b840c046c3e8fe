"""A pytest session that runs mutants instead of tests: collected once, forked for each mutant.

The session collects the tests, learns what each reaches (`reach`), and forks for each mutant: the
fork takes the mutant in and runs the tests that reach the changed lines until one fails. Nothing is
collected or imported twice.
Must not know: what the mutants are about, or what score is wanted.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import traceback
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.grafting import graft
from tests.mutation.reach import Reaches, is_own, measured, with_next

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from tests.mutation.mutants import Key, Mutant

TESTS: Final = (
    "tests/core",
    "tests/reconciler",
    "tests/cli",
    *(
        f"tests/simulation/test_{name}.py"
        for name in ("adviser", "arming", "budgets", "inplace", "sources", "stories", "suspension")
    ),
)
"""Those that are asked: what the long simulations alone would notice is told to have survived."""
SLOWER: Final = 8
"""A mutant whose tests take so many times what they took without it counts as killed."""
LEAST_S: Final = 5
Place = tuple[str, str]
"""A module, and the function in it or nothing."""
NEAR: Final = 20
"""What has killed a mutant of the same function counts so many times as much as one elsewhere."""
OWN: Final = 4
"""The tests of the module itself are so many times likelier to kill its mutants than others."""
MEMORY: Final = 3 << 30
BROKEN: Final = "(does not run)"
ENDLESS: Final = "(does not end)"


def run(
    mutants: Sequence[Mutant],
    *,
    seconds: float,
    workers: int,
    told: Callable[[Mutant, str | None], None],
    kept: Path,
    last: Mapping[Key, str],
) -> None:
    """Run every mutant, each for so many seconds of tests at most.

    Args:
        mutants: what to run.
        seconds: a mutant that no test killed in so much processor time has survived.
        workers: forks at once.
        told: called with each mutant and its killer, None for a survivor, as they end.
        kept: the file that keeps what the tests reach from run to run.
        last: what killed a mutant in the last run; it is asked first.
    """
    _load_profile()
    plugin = _Plugin(mutants, seconds, workers, told, kept, last)
    quiet = ["-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist"]
    # hypothesis is imported before pytest could rewrite it.
    warned = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    if mutants and pytest.main([*quiet, *warned, *TESTS], plugins=[plugin]):
        message = "pytest could not collect the tests; its own words stand above"
        raise RuntimeError(message)


def _load_profile() -> None:
    """Few examples, the same each time, and no search for a smaller failure."""
    settings.register_profile(
        "mutation",
        max_examples=20,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    # By name, for tests/conftest.py loads what stands here.
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"


@dataclass
class _Plugin:
    """The hooks of one run; its fields are the arguments of `run`."""

    mutants: Sequence[Mutant]
    seconds: float
    workers: int
    told: Callable[[Mutant, str | None], None]
    kept: Path
    last: Mapping[Key, str]
    items: list[pytest.Item] = field(default_factory=list)
    reach: Reaches = field(init=False)
    kills: defaultdict[Place, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    @pytest.hookimpl(tryfirst=True)
    def pytest_timeout_set_timer(self) -> bool:
        """No time-outs by the wall: a busy machine must kill no mutant."""
        return True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Runs the mutants in place of the tests."""
        self.items = list(session.items)
        self._measure()
        gc.collect()
        gc.freeze()
        running: dict[int, tuple[Mutant, int]] = {}
        for mutant in self.mutants:
            while len(running) >= self.workers:
                self._one_ended(running)
            pid, pipe = forked(partial(self._first_to_fail, mutant))
            running[pid] = mutant, pipe
        while running:
            self._one_ended(running)
        return True

    def _one_ended(self, running: dict[int, tuple[Mutant, int]]) -> None:
        pid, status = os.wait()
        mutant, pipe = running.pop(pid)
        with os.fdopen(pipe, encoding="utf-8") as reading:
            said = reading.read()
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            message = f"the run itself failed, on {mutant.key}"
            raise RuntimeError(message)
        killer = json.loads(said) if os.WIFEXITED(status) else ENDLESS
        if killer is not None:
            self.kills[mutant.module, ""][killer] += 1
            self.kills[mutant.module, mutant.where][killer] += NEAR
        self.told(mutant, killer)

    def _measure(self) -> None:
        """Learn, in a fork, what those tests reach that were not measured as they are now."""
        self.reach = Reaches.kept_in(self.kept)
        new = self.reach.unknown(self.items)
        if new:
            _, pipe = forked(partial(measured, new, fails))
            with os.fdopen(pipe, encoding="utf-8") as reading:
                self.reach.learn(new, json.loads(reading.read()))
            os.wait()

    # --- One mutant ----------------------------------------------------------------------------

    def _first_to_fail(self, mutant: Mutant) -> str | None:
        """In a fork: the test that kills the mutant, None when it survives them."""
        chosen = self._chosen(mutant)
        if not chosen:
            return None
        expected = sum(self.reach.seconds(item) for item in chosen)
        most = int(LEAST_S + SLOWER * expected)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            graft(mutant)
        except Exception:  # noqa: BLE001  # Source that breaks in any way is dead.
            return BROKEN
        return next((i.nodeid for i, after in with_next(chosen) if fails(i, after)), None)

    def _chosen(self, mutant: Mutant) -> list[pytest.Item]:
        """The tests that reach it, the likeliest to kill it first, as far as the time goes."""
        kills = self.kills[mutant.module, ""] + self.kills[mutant.module, mutant.where]

        def order(item: pytest.Item) -> float:
            weight = (1 + kills[item.nodeid]) * (OWN if is_own(item, mutant) else 1)
            return (self.reach.seconds(item) + 0.01) / weight

        last = self.last.get(mutant.key)
        chosen: list[pytest.Item] = []
        left = self.seconds
        for item in sorted(self.reach.reaching(mutant, self.items), key=order):
            if item.nodeid == last:
                chosen.insert(0, item)
            elif not chosen or left >= self.reach.seconds(item):
                chosen.append(item)
                left -= self.reach.seconds(item)
        return chosen


def fails(item: pytest.Item, after: pytest.Item | None) -> bool:
    """Run one test, the tear-down up to `after` included."""
    return any(report.failed for report in runtestprotocol(item, nextitem=after, log=False))


def forked(work: Callable[[], Any]) -> tuple[int, int]:
    """Runs `work` in a fork; gives its process and the pipe on which its result comes as JSON."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        result = work()
        with os.fdopen(writing, "w", encoding="utf-8") as said:
            json.dump(result, said)
        os._exit(0)
    except Exception:  # noqa: BLE001  # The parent learns of it by the exit status.
        traceback.print_exc(file=sys.__stderr__)
    finally:  # Nothing may run on as a second session.
        os._exit(1)

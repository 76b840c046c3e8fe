"""The script that CI runs: its order, what it installs, how it ends. All programs are pretended.

Must not know: what the checks check.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = Path(".ci/run")
MACHINE = "make test-fast ARGS=-m 'not computing'"
COMPUTING = "make test-fast ARGS=-m computing"
PARTS = ("make check", MACHINE, "make test-cluster", "make test-kind")
BUILT = ["-m localcluster build", "-m tests.integration.charts"]
ONCE_MORE = "ARGS=--last-failed --last-failed-no-failures=none"

PYTHON = """\
#!/bin/sh
echo "$*" >>"$FOLDER/ran"
case "$*" in
*"localcluster kind packages") printf '%s' "$PACKAGES" ;;
*"localcluster kind possible") [ -z "$IMPOSSIBLE" ] || { echo "$IMPOSSIBLE"; exit 1; } ;;
*"localcluster kind build") [ "$BROKEN" != kind ] || { echo "no mirror"; exit 1; } ;;
*"localcluster build")
    [ "$BROKEN" != build ] || { echo "no disk left"; exit 1; }
    [ "$BROKEN" != slow ] || { trap 'echo cleared >>"$FOLDER/ran"; exit 1' TERM; sleep 20 & wait; }
    ;;
esac
"""

MAKE = """\
#!/bin/sh
if [ "$*" = check ] && [ "$BROKEN" = slow ]; then
    until grep -q "localcluster build" "$FOLDER/ran"; do sleep 0.05; done
fi
echo "make $*" >>"$FOLDER/ran"
case "$*" in $FAILING) echo "it says why"; exit 2 ;; esac
"""


class Machine:
    """A copy of the script among programs that only note that they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "path"
        (folder / ".ci").mkdir()
        shutil.copy(ROOT / SCRIPT, folder / SCRIPT)
        self.program(".ci/setup", "#!/bin/sh\n")
        self.program(".venv/bin/python", PYTHON)
        self.program("path/make", MAKE)
        self.program("path/go", "#!/bin/sh\necho go1.26.1\n")
        self.program("path/id", '#!/bin/sh\necho "${AS:-0}"\n')
        self.program("path/apt-get", '#!/bin/sh\necho "apt-get $*" >>"$FOLDER/ran"\n')

    def program(self, name: str, text: str) -> None:
        """Puts a program into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Runs the script."""
        return subprocess.run(
            ["bash", str(self.folder / SCRIPT)],
            env={
                **os.environ,
                "PATH": f"{self._path}:{os.environ['PATH']}",
                "FOLDER": str(self.folder),
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def ran(self) -> list[str]:
        """What was run, in this order, the background's among it."""
        return (self.folder / "ran").read_text().splitlines()

    @property
    def built(self) -> list[str]:
        """What was built in the background."""
        return [line for line in self.ran if line.endswith(("build", "charts"))]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine on which all goes well."""
    return Machine(tmp_path)


def test_everything_is_checked_and_the_nodes_are_built_before_their_tests(machine: Machine) -> None:
    done = machine.run()
    assert done.returncode == 0, done.stderr
    made = [line for line in machine.ran if line.startswith("make") and line != COMPUTING]
    assert made == ["make setup", *PARTS], "one after the other"
    assert machine.built == [*BUILT, "-m localcluster kind build"]
    for needed, part in zip(machine.built[1:], PARTS[2:], strict=True):
        assert machine.ran.index(needed) < machine.ran.index(part)
    assert machine.ran.index("make test-cluster") < machine.ran.index(COMPUTING), "beside kind"
    assert done.stdout.endswith("ci: all passed\n")


def test_its_parts_are_those_of_make_test() -> None:
    parts = re.search(r"^test: (.*) ##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert parts is not None
    ours = dict.fromkeys(part.partition(" ARGS")[0] for part in (*PARTS[1:], COMPUTING))
    assert [f"make {part}" for part in parts[1].split()] == list(ours)


def test_where_containers_cannot_run_that_is_one_line_and_nothing_is_built_for_them(
    machine: Machine,
) -> None:
    done = machine.run(IMPOSSIBLE="no Docker here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ci: the kind tests will not run: no Docker here\n") == 1
    assert machine.built == BUILT
    assert "make test-kind" in machine.ran, "its summary counts them as not run"


@pytest.mark.parametrize(
    ("broken", "said", "part"),
    [("build", "no disk left", "make test-cluster"), ("kind", "no mirror", "make test-kind")],
)
def test_a_build_that_fails_in_the_background_fails_the_run_and_is_told(
    machine: Machine, broken: str, said: str, part: str
) -> None:
    done = machine.run(BROKEN=broken)
    assert done.returncode == 1
    assert part not in machine.ran
    assert "what clusters are made of could not be built" in done.stderr
    assert done.stdout.endswith(f"ci: the build in the background said last:\n{said}\n")


@pytest.mark.parametrize("part", PARTS[:2])
def test_a_part_that_fails_fails_the_run_at_once(machine: Machine, part: str) -> None:
    done = machine.run(FAILING=part.removeprefix("make "))
    assert done.returncode != 0
    assert [line for line in machine.ran if line.startswith("make")][-1] == part


def test_what_computes_fails_the_run_too_and_is_shown(machine: Machine) -> None:
    done = machine.run(FAILING=COMPUTING.removeprefix("make "))
    assert done.returncode != 0
    assert "make test-fast failed" in done.stderr
    assert "make test-kind" in machine.ran
    assert done.stdout.count("it says why") == 1


@pytest.mark.parametrize("failing", ["test-cluster", "test-kind"])
def test_what_fails_on_a_cluster_is_run_once_more_and_told(machine: Machine, failing: str) -> None:
    done = machine.run(FAILING=failing)
    assert done.returncode == 0
    assert f"make {failing} {ONCE_MORE}" in machine.ran
    assert f"FLAKY: what make {failing} called failed" in done.stdout


@pytest.mark.parametrize("failing", ["test-cluster", "test-kind"])
def test_what_fails_on_a_cluster_twice_fails_the_run(machine: Machine, failing: str) -> None:
    done = machine.run(FAILING=f"{failing}*")
    assert done.returncode != 0
    assert f"make {failing} {ONCE_MORE}" in machine.ran
    assert set(PARTS) <= set(machine.ran), "the other is run, and told"
    assert f"make {failing} failed" in done.stderr
    assert "FLAKY" not in done.stdout


def test_a_run_that_ends_early_waits_until_the_build_has_cleared_up(machine: Machine) -> None:
    done = machine.run(FAILING="check", BROKEN="slow")
    assert done.returncode != 0
    assert machine.ran[-1] == "cleared"


@pytest.mark.parametrize(
    ("who", "installed"),
    [("0", ["update -qq", "install -y -qq --no-install-recommends debootstrap docker.io"]),
     ("1000", [])],
)  # fmt: skip
def test_packages_for_containers_are_installed_by_root_alone(
    machine: Machine, who: str, installed: list[str]
) -> None:
    assert machine.run(AS=who, PACKAGES="debootstrap\ndocker.io\n").returncode == 0
    apt = [line for line in machine.ran if line.startswith("apt-get")]
    assert apt == [f"apt-get {line}" for line in installed]


def test_a_machine_whose_docker_is_enough_gets_no_packages(machine: Machine) -> None:
    assert machine.run(PACKAGES="").returncode == 0
    assert not [line for line in machine.ran if line.startswith("apt-get")]

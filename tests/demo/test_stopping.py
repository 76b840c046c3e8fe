"""A signal ends the demo wherever it comes, also where Python drops what is raised."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
START: Final = """
import os, signal, time
from demo.stopping import Stopped, Stopping

stopping = Stopping()
stopping.listen()

def ask():
    os.kill(os.getpid(), signal.SIGTERM)

class Finalized:
    def __del__(self):
        ask()
"""
IN_A_FINALIZER: Final = """
    made = Finalized()
    del made
"""
IN_A_FORK: Final = """
    os.register_at_fork(after_in_parent=ask)
    if not os.fork():
        os._exit(0)
"""
IN_PLAIN_SIGHT: Final = """
    ask()
"""


@pytest.mark.parametrize("where", [IN_PLAIN_SIGHT, IN_A_FINALIZER, IN_A_FORK])
def test_it_is_raised_again_where_it_went_under(where: str) -> None:
    script = f"""{START}
try:{where}
    time.sleep(30)
except Stopped as stopped:
    stopping.heard()
    print("ended by", stopped.number)
"""
    assert ended(script) == "ended by 15\n"


def test_what_it_closes_on_its_way_is_not_cut_short() -> None:
    script = f"""{START}
try:
    try:
        ask()
    finally:
        ask()  # A second one changes nothing.
        time.sleep(1.5)
        print("cleaned up")
except Stopped:
    stopping.heard()
time.sleep(1.0)
print("at its end")
"""
    assert ended(script) == "cleaned up\nat its end\n"


def ended(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

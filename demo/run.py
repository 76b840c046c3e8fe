"""`make demo`, or `.venv/bin/python demo/run.py`: see `demo.program`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from demo.program import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""nft that is missing, refuses, hangs or talks nonsense."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scaleset_operator.agent.nft import Nft, NftError

if TYPE_CHECKING:
    from pathlib import Path


def pretended(folder: Path, script: str) -> Nft:
    """An nft that does what the script says."""
    program = folder / "prefix"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return Nft((str(program),), timeout=0.5)


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo 'no such thing' >&2; exit 1", r"ended with 1: no such thing"),
        ("exec sleep 30", r"timed out"),
        ("echo hello", r"printed what is no listing: 'hello\\n'"),
        ("echo '{}'", r"printed what is no listing"),
    ],
)
def test_what_nft_does_wrong_is_told(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(NftError, match=why):
        pretended(tmp_path, script).standing()


def test_no_nft_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(NftError, match="No such file"):
        Nft((str(tmp_path / "missing"),)).standing()


def test_no_commands_start_nothing(tmp_path: Path) -> None:
    pretended(tmp_path, "exit 1").carry_out("")

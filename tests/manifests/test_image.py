"""The Dockerfile, read: what keeps the image small, plain and safe. It is built elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

from manifests.generator.sources import read

ROOT: Final = Path(__file__).parents[2]
DEPLOYMENT: Final[dict[str, Any]] = read("base/deployment.yaml")[0]


def steps() -> list[tuple[str, str]]:
    """Instruction and argument, one for each step, continued lines joined."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.split("\n"))]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for step in steps():
        if step[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def test_both_stages_stand_on_the_one_base_that_is_given() -> None:
    """The environment's paths and its Python are those of the base."""
    assert steps()[0] == ("ARG", "BASE_IMAGE=python:3.13-slim")
    build, final = stages()
    assert build[0] == ("FROM", "${BASE_IMAGE} AS build")
    assert final[0] == ("FROM", "${BASE_IMAGE}")


def test_the_last_stage_installs_nft_alone_and_takes_only_the_environment() -> None:
    """And that only where the base has none: a build may be cut off from everything."""
    _, final = stages()
    assert [rest for word, rest in final if word in {"COPY", "ADD"}] == [
        "--from=build /opt/scaleset-operator /opt/scaleset-operator"
    ]
    first, *others = [" ".join(rest.split()) for word, rest in final if word == "RUN"]
    assert first.startswith("command -v nft > /dev/null || (apt-get update")
    assert "install --quiet --yes --no-install-recommends nftables &&" in first
    assert not re.search(r"\b(apt|apt-get|apk|pip|curl|wget)\b", " ".join(others))


def test_what_is_installed_is_what_everybody_uses() -> None:
    build, _ = stages()
    ran = " ".join(rest for word, rest in build if word == "RUN")
    assert "-c requirements.lock" in ran
    assert " tzdata" in ran


def test_a_base_that_lacks_certificates_or_zones_or_brings_a_compiler_is_refused() -> None:
    _, final = stages()
    ran = " ".join(rest for word, rest in final if word == "RUN")
    assert "ca-certificates.crt" in ran
    assert "zoneinfo" in ran
    assert "! command -v cc" in ran


def test_it_runs_as_the_user_of_the_manifests_and_as_nobody_with_rights() -> None:
    _, final = stages()
    words = dict(final)
    pod = DEPLOYMENT["spec"]["template"]["spec"]["securityContext"]
    assert words["USER"] == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert words["ENTRYPOINT"] == '["scaleset-operator"]'
    assert words["EXPOSE"] == str(
        DEPLOYMENT["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]
    )


def test_nothing_is_fetched_or_taken_along_that_is_not_named() -> None:
    """No ADD, and of this folder only what the build needs: no .git, no credentials of anybody."""
    assert "ADD" not in {word for word, _ in steps()}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    assert named[0] == "*"
    taken = {line[1:] for line in named if line.startswith("!")}
    build, _ = stages()
    copied = {name for word, rest in build if word == "COPY" for name in rest.split()[:-1]}
    assert taken == copied
    assert all((ROOT / name).exists() for name in taken)

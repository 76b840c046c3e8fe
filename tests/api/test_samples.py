"""Every sample is understood by the models it is written for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from scaleset_operator.api.base import API_VERSION
from scaleset_operator.api.kinds import KINDS
from scaleset_operator.api.scaleset import ScaleSet

SAMPLES: Final = Path(__file__).parents[2] / "manifests" / "samples"
DOCUMENTS: Final[list[tuple[str, dict[str, Any]]]] = [
    (f"{path.stem}:{body['metadata']['name']}", body)
    for path in sorted(SAMPLES.glob("*.yaml"))
    for body in yaml.safe_load_all(path.read_text())
]
MODELS: Final = {kind.name: kind.model for kind in KINDS}


@pytest.mark.parametrize(
    "body", [body for _, body in DOCUMENTS], ids=[name for name, _ in DOCUMENTS]
)
def test_a_sample_is_understood(body: dict[str, Any]) -> None:
    read = MODELS[body["kind"]].model_validate(body)
    assert (read.api_version, read.kind) == (API_VERSION, body["kind"])
    assert read.metadata.name == body["metadata"]["name"]
    if isinstance(read, ScaleSet):
        labels = read.spec.template["metadata"]["labels"]
        assert read.spec.selector.match_labels.items() <= labels.items()


def test_a_sample_names_only_probes_that_stand_beside_it() -> None:
    probes = {body["metadata"]["name"] for _, body in DOCUMENTS if body["kind"] == "HealthProbe"}
    named = {
        body["spec"][key]["name"]
        for _, body in DOCUMENTS
        for key in ("healthProbeRef", "rotationProbeRef")
        if key in body["spec"]
    }
    assert named <= probes
    assert {body["kind"] for _, body in DOCUMENTS} == set(MODELS)

"""`import-csdef` as a command: what goes to standard output, what to standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.cli.test_csdef import WHOLE, definition
from tests.support.fake_plugin import FakeEntrance

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def entrance() -> FakeEntrance:
    """No cluster: the command must not need one."""
    return FakeEntrance(away="nobody may connect")


def test_the_probes_go_to_standard_output_and_the_remarks_beside_it(
    entrance: FakeEntrance, tmp_path: Path
) -> None:
    """P-01, P-32: fit for `| kubectl apply -f -`."""
    file = tmp_path / "a.csdef"
    file.write_text(WHOLE)
    result = entrance.run("import-csdef", str(file), "-n", "shop")
    documents = list(yaml.safe_load_all(result.stdout))
    assert [d["metadata"] for d in documents] == [
        {"name": "webprobe", "namespace": "shop"},
        {"name": "cache", "namespace": "shop"},
    ]
    assert '# LoadBalancerProbe "WebProbe", line 4; used by "Front/Http"' in result.stdout
    assert result.stderr.startswith(f"note: {file}:4: ")


def test_a_fault_leaves_nothing_to_apply(entrance: FakeEntrance, tmp_path: Path) -> None:
    file = tmp_path / "a.csdef"
    file.write_bytes(definition('name="a" protocol="tcp"', 'name="b" protocol="udp"'))
    result = entrance.run("import-csdef", str(file), code=1)
    assert result.stdout == ""
    assert result.stderr == (
        f'error: {file}:4: LoadBalancerProbe "b": protocol is "udp": allowed is http or tcp\n'
    )


@pytest.mark.parametrize("namespace", ["", "Shop", "a.b", "a" * 64, "a\nb"])
def test_a_namespace_that_is_none_is_refused(
    entrance: FakeEntrance, tmp_path: Path, namespace: str
) -> None:
    file = tmp_path / "a.csdef"
    file.write_text(WHOLE)
    said = entrance.run("import-csdef", str(file), f"--namespace={namespace}", code=1).stderr
    assert said.startswith("error: --namespace is ")


def test_a_file_that_cannot_be_read_is_named(entrance: FakeEntrance, tmp_path: Path) -> None:
    said = entrance.run("import-csdef", str(tmp_path / "none"), code=1).stderr
    assert said.startswith(f"error: FILE is '{tmp_path / 'none'}', which cannot be read: No such")
    assert "Is a directory" in entrance.run("import-csdef", str(tmp_path), code=1).stderr


def test_a_namespace_is_left_to_kubectl_unless_it_is_given(
    entrance: FakeEntrance, tmp_path: Path
) -> None:
    file = tmp_path / "a.csdef"
    file.write_text(WHOLE)
    said = entrance.run("import-csdef", str(file), "--namespace", "shop").stdout
    assert said.count("namespace: shop") == 2
    assert "namespace" not in entrance.run("import-csdef", str(file)).stdout

"""A service definition becomes HealthProbes, or is refused with a line for each fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.healthprobe import HealthProbe
from scaleset_operator.cli.csdef import convert, kubernetes_name
from scaleset_operator.cli.csdef_xml import MAX_BYTES, NAMESPACE

WHOLE = f"""<?xml version="1.0" encoding="utf-8"?>
<ServiceDefinition name="Shop" xmlns="{NAMESPACE}">
  <LoadBalancerProbes>
    <LoadBalancerProbe name="WebProbe" protocol="http" path="/healthz" port="8080"
                       intervalInSeconds="5" timeoutInSeconds="11"/>
    <LoadBalancerProbe name="cache" protocol="tcp"/>
  </LoadBalancerProbes>
  <WebRole name="Front"><Endpoints>
    <InputEndpoint name="Http" protocol="tcp" port="80" loadBalancerProbe="WebProbe"/>
  </Endpoints></WebRole>
</ServiceDefinition>"""


def definition(*probes: str) -> bytes:
    """A definition whose probes stand on lines 3, 4, ..."""
    lines = "\n".join(f"<LoadBalancerProbe {probe}/>" for probe in probes)
    start = f'<ServiceDefinition xmlns="{NAMESPACE}">\n<LoadBalancerProbes>'
    return f"{start}\n{lines}\n</LoadBalancerProbes></ServiceDefinition>".encode()


def faults(data: bytes) -> list[str]:
    """Each as line: text."""
    return [f"{fault.line}: {fault.text}" for fault in convert(data).faults]


def test_a_definition_becomes_probes_that_keep_its_names_and_numbers() -> None:
    """P-01, P-02, P-07..P-09, P-32: fields keep the names, and what is left out stays left out."""
    found = convert(WHOLE.encode())
    assert found.faults == ()
    assert [dict(probe.spec) for probe in found.probes] == [
        {
            "protocol": "http",
            "path": "/healthz",
            "port": 8080,
            "intervalInSeconds": 5,
            "timeoutInSeconds": 11,
        },
        {"protocol": "tcp"},
    ]
    assert [probe.name for probe in found.probes] == ["webprobe", "cache"]
    assert found.probes[0].heading() == (
        'LoadBalancerProbe "WebProbe", line 4; used by "Front/Http"'
    )
    assert any("name is webprobe now" in remark.text for remark in found.remarks)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_definition_is_read_in_the_encodings_that_its_tools_write(encoding: str) -> None:
    text = WHOLE.replace('encoding="utf-8"', f'encoding="{encoding.removesuffix("-sig")}"')
    assert len(convert(text.encode(encoding)).probes) == 2


def test_a_definition_without_a_namespace_is_read_and_foreign_elements_are_not() -> None:
    plain = WHOLE.replace(f' xmlns="{NAMESPACE}"', "")
    foreign = plain.replace(
        '<LoadBalancerProbe name="cache"', '<x:LoadBalancerProbe xmlns:x="urn:x" name="cache"'
    )
    assert len(convert(plain.encode()).probes) == 2
    assert [probe.name for probe in convert(foreign.encode()).probes] == ["webprobe"]


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        ('name="a" protocol="https" path="/x"', 'protocol is "https": allowed is http or tcp'),
        ('name="a" protocol="udp"', 'protocol is "udp": allowed is http or tcp'),
        ('name="a" path="/x"', "protocol is missing"),
        ('name="a" protocol="http"', "path is missing"),
        ('name="a" protocol="http" path=""', 'path is ""'),
        ('name="a" protocol="http" path="/a b"', 'path is "/a b"'),
        ('name="a" protocol="http" path="/a#b"', 'path is "/a#b"'),
        ('name="a" protocol="http" path="http://h/x"', 'path is "http://h/x"'),
        ('name="a" protocol="http" path="//h/x"', 'path is "//h/x"'),
        (f'name="a" protocol="http" path="/{"x" * 1024}"', "at most 1024 characters"),
        ('name="a" protocol="tcp" path="/x"', "allowed is no path with protocol tcp"),
        ('name="a" protocol="tcp" port="0"', 'port is "0": allowed is an integer of 1 to 65535'),
        ('name="a" protocol="tcp" port="65536"', 'port is "65536"'),
        ('name="a" protocol="tcp" port="80.5"', 'port is "80.5"'),
        ('name="a" protocol="tcp" port="-1"', 'port is "-1"'),
        ('name="a" protocol="tcp" port="٨٠"', "port is"),
        ('name="a" protocol="tcp" port=""', 'port is ""'),
        (f'name="a" protocol="tcp" port="{"9" * 5000}"', "port is"),
        ('name="a" protocol="tcp" intervalInSeconds="4"', "an integer of 5 to 86400"),
        ('name="a" protocol="tcp" timeoutInSeconds="10"', "an integer of 11 to 86400"),
        ('protocol="tcp"', "name is missing"),
        ('name="" protocol="tcp"', "name is missing"),
        ('name="___" protocol="tcp"', 'name is "___"'),
        (f'name="{"a" * 254}" protocol="tcp"', "1 to 253 characters"),
        ('name="a" protocol="tcp" timeout="11"', 'attribute "timeout" is not known'),
    ],
)
def test_what_a_probe_may_not_be_is_refused_with_its_line(probe: str, said: str) -> None:
    """P-02..P-04, P-07, P-08."""
    found = faults(definition('name="good" protocol="tcp"', probe))
    assert len(found) == 1
    assert found[0].startswith("4: LoadBalancerProbe")
    assert said in found[0]


@pytest.mark.parametrize(
    ("probe", "spec"),
    [
        ('protocol="tcp" port=" 80 "', {"protocol": "tcp", "port": 80}),
        ('protocol="HTTP" path="/x"', {"protocol": "http", "path": "/x"}),
        ('protocol="http" path="probe.aspx?a=1"', {"protocol": "http", "path": "/probe.aspx?a=1"}),
        ('protocol="tcp" intervalInSeconds="5"', {"protocol": "tcp", "intervalInSeconds": 5}),
        ('protocol="tcp" timeoutInSeconds="11"', {"protocol": "tcp", "timeoutInSeconds": 11}),
        ('protocol="tcp" port="65535"', {"protocol": "tcp", "port": 65535}),
    ],
)
def test_what_differs_in_spelling_alone_is_taken(probe: str, spec: dict[str, object]) -> None:
    """P-02, P-04, P-07..P-09."""
    found = convert(definition(f'name="a" {probe}'))
    assert found.faults == ()
    assert dict(found.probes[0].spec) == spec


def test_names_that_are_or_become_the_same_are_refused() -> None:
    """P-01: and the second line names the first."""
    same = faults(definition('name="a" protocol="tcp"', 'name="a" protocol="tcp"'))
    alike = faults(definition('name="A_b" protocol="tcp"', 'name="a-B" protocol="tcp"'))
    assert same == ['4: LoadBalancerProbe "a": name "a" stands on line 3: names must be unique']
    assert len(alike) == 1
    assert 'would be named a-b, as that of "A_b" on line 3' in alike[0]


def test_an_interval_that_leaves_no_second_attempt_is_told_and_not_refused() -> None:
    """P-10."""
    found = convert(definition('name="a" protocol="tcp" timeoutInSeconds="11"'))
    assert [remark.text for remark in found.remarks if "do not fit" in remark.text]


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b"", 1, "this is not XML"),
        (b"\0\1\2", 1, "this is not XML"),
        (b"<ServiceDefinition>\n<a>\n</ServiceDefinition>", 3, "this is not XML"),
        (b"<ServiceConfiguration/>", 1, "the root element is ServiceConfiguration"),
        (b"<ServiceDefinition/>", 1, "no LoadBalancerProbe"),
        (b'<?xml version="1.0" encoding="nonsense"?>\n<ServiceDefinition/>', 1, "unknown encoding"),
        (b'<?xml version="1.0" encoding="gbk"?>\n<ServiceDefinition/>', 1, "this is not XML"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>\n<ServiceDefinition/>', 1, "DOCTYPE"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd">\n<ServiceDefinition/>', 1, "DOCTYPE"),
        (b"<!DOCTYPE ServiceDefinition>\n<ServiceDefinition/>", 1, "DOCTYPE"),
        (b"<ServiceDefinition>&x;</ServiceDefinition>", 1, "this is not XML"),
        (b" " * (MAX_BYTES + 1), 1, "allowed are 1048576"),
    ],
)
def test_a_file_that_is_no_definition_is_refused(data: bytes, line: int, said: str) -> None:
    found = convert(data)
    assert found.probes == ()
    assert len(found.faults) == 1
    assert found.faults[0].line == line
    assert said in found.faults[0].text


def test_an_endpoint_that_names_no_probe_of_the_file_is_told() -> None:
    found = convert(
        WHOLE.replace('loadBalancerProbe="WebProbe"', 'loadBalancerProbe="gone"').encode()
    )
    assert 'names LoadBalancerProbe "gone", which is not defined' in found.remarks[-1].text


def test_a_heading_stays_on_one_line_whatever_a_name_holds() -> None:
    """A line feed in a name must not end the comment that quotes it."""
    found = convert(definition('name="a&#10;kind: Pod" protocol="tcp"'))
    assert "\n" not in found.probes[0].heading()
    assert found.probes[0].name == "a-kind-pod"


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='<>&"'), max_size=80)
)
def test_a_name_that_is_made_is_always_one_that_the_api_takes(source: str) -> None:
    name = kubernetes_name(source)
    if name:
        body = {"metadata": {"name": name}, "spec": {"protocol": "tcp"}}
        assert HealthProbe.model_validate(body).metadata.name == name
        assert kubernetes_name(name) == name


@pytest.mark.parametrize("namespace", [None, "shop"])
def test_every_manifest_is_a_probe_that_the_models_take(namespace: str | None) -> None:
    for probe in convert(WHOLE.encode()).probes:
        body = probe.manifest(namespace)
        read = HealthProbe.model_validate(body)
        assert read.metadata.namespace == (namespace or "")
        assert read.spec.model_dump(by_alias=True, exclude_unset=True, mode="json") == body["spec"]

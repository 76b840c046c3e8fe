"""The options of `run` and their variables, read once into one frozen value."""

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from scaleset_operator.settings import (
    DEFAULT_PORT,
    PREFIX,
    BadSettingError,
    LogFormat,
    Settings,
    add_run_options,
    from_arguments,
)


def settings_of(*arguments: str, environment: Mapping[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    return from_arguments(parser.parse_args(arguments), environment or {})


def test_without_options_the_whole_cluster_is_served_on_the_default_port_of_all_addresses() -> None:
    assert settings_of() == Settings() == Settings(namespaces=(), address="", port=DEFAULT_PORT)
    assert (Settings().log_format, Settings().log_level) == (LogFormat.AUTO, "info")


def test_namespaces_may_be_given_several_times_in_both_spellings() -> None:
    assert settings_of("--namespace", "shop", "-n", "bank").namespaces == ("shop", "bank")


def test_two_readings_share_no_namespace() -> None:
    settings_of("-n", "shop")
    assert settings_of().namespaces == ()


@pytest.mark.parametrize("spelling", ["--verbose", "-v", "--log-level=debug", "--log-level=DEBUG"])
def test_everything_is_logged_on_request(spelling: str) -> None:
    assert settings_of(spelling).log_level == "debug"


EACH = [
    ("--metrics-address", "METRICS_ADDRESS", "127.0.0.1", {"address": "127.0.0.1"}),
    ("--metrics-address", "METRICS_ADDRESS", "::1", {"address": "::1"}),
    ("--port", "PORT", "0", {"port": 0}),
    ("--port", "PORT", "65535", {"port": 65_535}),
    ("--events-port", "EVENTS_PORT", "8082", {"events_port": 8_082}),
    ("--events-port", "EVENTS_PORT", "0", {"events_port": 0}),
    ("--log-format", "LOG_FORMAT", "json", {"log_format": LogFormat.JSON}),
    ("--log-format", "LOG_FORMAT", "Text", {"log_format": LogFormat.TEXT}),
    ("--log-level", "LOG_LEVEL", "warning", {"log_level": "warning"}),
    ("--namespace", "NAMESPACE", "shop", {"namespaces": ("shop",)}),
    ("--leader-elect-namespace", "LEADER_ELECT_NAMESPACE", "ops", {"lease_namespace": "ops"}),
    ("--leader-elect-name", "LEADER_ELECT_NAME", "blue.so-2", {"lease_name": "blue.so-2"}),
    (
        "--notifications-dir",
        "NOTIFICATIONS_DIR",
        "/etc/told",
        {"notifications_dir": "/etc/told"},
    ),
    (
        "--vantage-secret-file",
        "VANTAGE_SECRET_FILE",
        "/etc/so/key",
        {"vantage_secret": "/etc/so/key"},
    ),
]


@pytest.mark.parametrize(("option", "variable", "value", "meaning"), EACH)
def test_an_option_and_its_variable_mean_the_same(
    option: str, variable: str, value: str, meaning: dict[str, Any]
) -> None:
    expected = dataclasses.replace(Settings(), **meaning)
    assert settings_of(option, value) == expected
    assert settings_of(environment={f"{PREFIX}{variable}": value}) == expected


def test_a_variable_may_name_several_namespaces() -> None:
    environment = {f"{PREFIX}NAMESPACE": "shop, bank,"}
    assert settings_of(environment=environment).namespaces == ("shop", "bank")


def test_the_command_line_goes_before_the_environment() -> None:
    environment = {f"{PREFIX}PORT": "9000", f"{PREFIX}NAMESPACE": "bank"}
    settings = settings_of("--port", "9001", "-n", "shop", environment=environment)
    assert (settings.port, settings.namespaces) == (9001, ("shop",))


def test_an_empty_variable_is_none() -> None:
    assert settings_of(environment={f"{PREFIX}PORT": "", f"{PREFIX}LOG_FORMAT": ""}) == Settings()


def test_what_kubernetes_puts_beside_a_service_of_our_name_is_not_ours() -> None:
    environment = {"SCALESET_OPERATOR_PORT": "tcp://10.0.0.1:8081"}
    assert settings_of(environment=environment) == Settings()


BAD = [
    ("--metrics-address", "METRICS_ADDRESS", "localhost", "127.0.0.1"),
    ("--metrics-address", "METRICS_ADDRESS", "10.0.0.1:80", "127.0.0.1"),
    ("--port", "PORT", "http", "65535"),
    ("--events-port", "EVENTS_PORT", "65536", "65535"),
    ("--port", "PORT", "-1", "65535"),
    ("--port", "PORT", "65536", "65535"),
    ("--log-format", "LOG_FORMAT", "xml", "auto, text or json"),
    ("--log-level", "LOG_LEVEL", "loud", "debug, info, warning or error"),
    ("--leader-elect-namespace", "LEADER_ELECT_NAMESPACE", "Ops", "a name of Kubernetes"),
    ("--leader-elect-name", "LEADER_ELECT_NAME", "so/2", "a name of Kubernetes"),
    ("--namespace", "NAMESPACE", "Shop_1", "a name of Kubernetes"),
]


@pytest.mark.parametrize(("option", "variable", "value", "allowed"), BAD)
def test_what_cannot_be_used_is_named_with_its_value_and_what_is_allowed(
    option: str, variable: str, value: str, allowed: str
) -> None:
    given = [
        (option, (f"{option}={value}",), {}),
        (PREFIX + variable, (), {PREFIX + variable: value}),
    ]
    for where, arguments, environment in given:
        with pytest.raises(BadSettingError) as refused:
            settings_of(*arguments, environment=environment)
        assert str(refused.value).startswith(f"{where}: {value!r} is not allowed")
        assert allowed in str(refused.value)


def test_the_help_names_every_option_and_every_variable() -> None:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    text = parser.format_help()
    options = {"--leader-elect", *(option for option, *_ in EACH)}
    assert options <= set(text.replace(",", " ").split())
    assert f"{PREFIX}LEADER_ELECT" in text.split()
    assert all(f"{PREFIX}{variable}" in text for _, variable, *_ in EACH)


def test_settings_are_read_once_and_never_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_pod_it_runs_in_is_known_where_the_manifest_tells() -> None:
    """S-31: outside of one, nothing is known."""
    found = settings_of(environment={"POD_NAMESPACE": "ops", "POD_NAME": "operator-1"})
    assert (found.pod_namespace, found.pod_name) == ("ops", "operator-1")
    assert (settings_of().pod_namespace, settings_of().pod_name) == ("", "")


def test_replicas_are_on_request_only() -> None:
    assert not settings_of().leader_elect
    assert settings_of("--leader-elect").leader_elect
    assert settings_of(environment={f"{PREFIX}LEADER_ELECT": "True"}).leader_elect
    assert not settings_of(environment={f"{PREFIX}LEADER_ELECT": "false"}).leader_elect
    with pytest.raises(
        BadSettingError, match="LEADER_ELECT: 'yes' is not allowed; allowed are true or false"
    ):
        settings_of(environment={f"{PREFIX}LEADER_ELECT": "yes"})


def test_the_lease_is_beside_the_pod_unless_told() -> None:
    in_pod = {"POD_NAMESPACE": "ops"}
    assert settings_of().lease_namespace == "default"
    assert settings_of(environment=in_pod).lease_namespace == "ops"
    told = settings_of("--leader-elect-namespace", "locks", environment=in_pod)
    assert told.lease_namespace == "locks"

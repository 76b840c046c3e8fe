"""The command line of `run`, read once into one frozen value."""

import argparse
import dataclasses

import pytest

from scaleset_operator.settings import DEFAULT_PORT, Settings, add_run_options, from_arguments


def settings_of(*arguments: str) -> Settings:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    return from_arguments(parser.parse_args(arguments))


def test_without_options_the_whole_cluster_is_served_quietly_on_the_default_port() -> None:
    assert settings_of() == Settings(namespaces=(), port=DEFAULT_PORT, verbose=False) == Settings()


def test_namespaces_may_be_given_several_times_in_both_spellings() -> None:
    assert settings_of("--namespace", "shop", "-n", "bank").namespaces == ("shop", "bank")


def test_two_readings_share_no_namespace() -> None:
    settings_of("-n", "shop")
    assert settings_of().namespaces == ()


@pytest.mark.parametrize("spelling", ["--verbose", "-v"])
def test_every_decision_is_logged_on_request(spelling: str) -> None:
    assert settings_of(spelling).verbose


def test_the_port_is_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert settings_of("--port", "9000").port == 9000
    with pytest.raises(SystemExit) as ended:
        settings_of("--port", "http")
    assert ended.value.code == 2
    assert "--port" in capsys.readouterr().err


def test_settings_are_read_once_and_never_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]

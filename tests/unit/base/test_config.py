"""Settings: every wrong one is named, none is guessed, no secret is shown."""

from pathlib import Path

import pytest

from voltyard.config import load
from voltyard.errors import Invalid


def test_defaults_are_valid_and_local() -> None:
    settings = load({})
    assert settings.http_host == settings.ocpp_host == "127.0.0.1"


def test_environment_wins_over_the_file_and_arguments_over_both(tmp_path: Path) -> None:
    file = tmp_path / "voltyard.toml"
    file.write_text('http_port = 1000\nocpp_port = 1001\nlog_level = "debug"\n')
    settings = load({"VOLTYARD_HTTP_PORT": "2000"}, file, ocpp_port=3000)
    assert (settings.http_port, settings.ocpp_port, settings.log_level) == (2000, 3000, "debug")


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        load({"VOLTYARD_HTTP_PORT": "abc", "VOLTYARD_LOG_JSON": "maybe", "VOLTYARD_COLOUR": "red"})
    assert set(caught.value.fields) == {"http_port", "log_json", "colour"}
    assert "VOLTYARD_HTTP_PORT" in caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tick_s", "0"),
        ("http_port", "70000"),
        ("log_level", "LOUD"),
        ("database_url", "mysql://x"),
        ("tls_cert", "cert.pem"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid):
        load({f"VOLTYARD_{name.upper()}": value})


@pytest.mark.parametrize("name", ["allow_no_password", "auto_approve"])
def test_open_doors_are_for_loopback_only(name: str) -> None:
    local = load({f"VOLTYARD_{name.upper()}": "true"})
    assert getattr(local, name) is True
    with pytest.raises(Invalid, match="loopback"):
        load({f"VOLTYARD_{name.upper()}": "true", "VOLTYARD_OCPP_HOST": "0.0.0.0"})


def test_the_database_password_is_not_shown() -> None:
    shown = load({"VOLTYARD_DATABASE_URL": "postgresql://u:secret@db/x"}).shown()
    assert "secret" not in str(shown)


def test_a_missing_file_says_so() -> None:
    with pytest.raises(Invalid, match="does not exist"):
        load({}, Path("/nowhere/voltyard.toml"))


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"SMTP_URL": "smtps://u:p@mail.example", "MAIL_FROM": "yard@example.org"}, set()),
        ({"SMTP_URL": "mail.example", "MAIL_FROM": "yard@example.org"}, {"smtp_url"}),
        ({"SMTP_URL": "smtp://mail.example"}, {"mail_from"}),
        ({"SMS_URL": "https://sms.example"}, {"sms_url"}),
        ({"SMS_PROVIDER": "pigeon"}, {"sms_provider"}),
        ({"NOTIFY_NETWORKS": "10.0.0.0/8, fd00::/8"}, set()),
        ({"NOTIFY_NETWORKS": "10.0.0.1/8"}, {"notify_networks"}),
        ({"SSO_NETWORKS": "10.1.0.0/16"}, set()),
        ({"SSO_NETWORKS": "keycloak"}, {"sso_networks"}),
    ],
)
def test_ways_to_people_are_checked_at_start(values: dict[str, str], wrong: set[str]) -> None:
    environment = {f"VOLTYARD_{name}": value for name, value in values.items()}
    if not wrong:
        assert "u:p" not in str(load(environment).shown())
        return
    with pytest.raises(Invalid) as caught:
        load(environment)
    assert set(caught.value.fields) == wrong

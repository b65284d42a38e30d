"""Settings: file, then environment; validated at start, each wrong one with its own message."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voltyard.errors import Invalid

PREFIX = "VOLTYARD_"
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Environment names are ``VOLTYARD_`` and the field in capitals."""

    data_dir: Path = Path(".voltyard")
    database_url: str = ""
    http_host: str = "127.0.0.1"
    http_port: int = 8180
    ocpp_host: str = "127.0.0.1"
    ocpp_port: int = 8181
    log_level: str = "INFO"
    log_json: bool = False
    auto_approve: bool = False
    allow_no_password: bool = False
    heartbeat_s: int = 300
    sample_s: int = 30
    tick_s: float = 5.0
    plan_s: float = 300.0
    commit_window_ms: float = 5.0
    pool_size: int = 10
    keep_frames_days: int = 30
    keep_meter_values_days: int = 400
    keep_power_samples_days: int = 400
    keep_logs_days: int = 90
    public_url: str = ""
    cookie_secure: bool = False
    tls_cert: str = ""
    tls_key: str = ""
    tls_names: str = ""
    wss_port: int = -1
    ocpp_url: str = ""
    min_security_profile: int = 0
    pki_key: str = ""
    ocpp_strict: bool = False
    ocpp_clean_close: bool = True
    http_tls_cert: str = ""
    http_tls_key: str = ""
    revocation_urls: str = ""
    contract_roots: str = ""
    contract_pool_url: str = ""
    contract_pool_update_url: str = ""
    contract_pool_key: str = ""
    contract_pool_party: str = ""
    contract_timeout_s: float = 5.0
    entsoe_key: str = ""
    vdv261_v1_path: str = "/v1/vehicleMessage"
    vdv261_v2_path: str = "/v2/vehicleMessage"
    vehicle_host: str = ""
    vehicle_port: int = -1
    vehicle_tls_cert: str = ""
    vehicle_tls_key: str = ""
    smtp_url: str = ""
    mail_from: str = ""
    sms_provider: str = "twilio"
    sms_url: str = ""
    sms_user: str = ""
    sms_token: str = ""
    sms_from: str = ""
    notify_networks: str = ""
    notify_hosts: str = ""
    notify_timeout_s: float = 15.0
    keep_notifications_days: int = 400
    sso_networks: str = ""
    telematics_networks: str = ""
    telematics_hosts: str = ""
    keep_telematics_days: int = 90

    def __post_init__(self) -> None:
        wrong = dict(_problems(self))
        if wrong:
            lines = "\n".join(f"  {PREFIX}{name.upper()}: {why}" for name, why in wrong.items())
            raise Invalid(f"settings are wrong:\n{lines}", code="settings", fields=wrong)

    @property
    def charger_tls(self) -> bool:
        """Whether chargers can reach us by TLS."""
        return bool(self.tls_cert or self.tls_names)

    @property
    def vdv261_paths(self) -> dict[int, str]:
        """Where vehicles post, by version of VDV 261."""
        return {1: self.vdv261_v1_path, 2: self.vdv261_v2_path}

    def shown(self) -> dict[str, str]:
        """For ``voltyard config``: no secret leaves."""
        values = {field.name: str(getattr(self, field.name)) for field in fields(self)}
        if values["database_url"]:
            parts = urlsplit(values["database_url"])
            values["database_url"] = f"{parts.scheme}://{parts.hostname or ''}{parts.path} (hidden)"
        for secret in ("pki_key", "contract_pool_key", "entsoe_key", "smtp_url", "sms_token"):
            if values[secret]:
                values[secret] = "(hidden)"
        return values


def load(
    environment: Mapping[str, str] | None = None, file: Path | None = None, **overrides: Any
) -> Settings:
    """Settings from ``file`` (TOML), then the environment, then ``overrides`` (not None).

    Raises Invalid that names every unknown or wrong setting.
    """
    environment = os.environ if environment is None else environment
    path = file or (
        Path(environment["VOLTYARD_CONFIG"]) if "VOLTYARD_CONFIG" in environment else None
    )
    values: dict[str, Any] = dict(_from_file(path)) if path else {}
    known = {field.name: field for field in fields(Settings)}
    for name, text in environment.items():
        if name.startswith(PREFIX) and name != "VOLTYARD_CONFIG":
            values[name.removeprefix(PREFIX).lower()] = text
    values.update({name: value for name, value in overrides.items() if value is not None})
    wrong: dict[str, str] = {}
    typed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            wrong[name] = "no such setting"
            continue
        try:
            typed[name] = _typed(value, type(known[name].default))
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        lines = "\n".join(f"  {PREFIX}{name.upper()}: {why}" for name, why in wrong.items())
        raise Invalid(f"settings are wrong:\n{lines}", code="settings", fields=wrong)
    return Settings(**typed)


def _from_file(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise Invalid(f"the settings file {path} does not exist", code="settings") from None
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"{path}: {error}", code="settings") from None


def _typed(value: Any, wanted: type) -> Any:
    if wanted is bool:
        return _boolean(value)
    if wanted is Path:
        return Path(str(value))
    if wanted is str:
        return str(value)
    try:
        return wanted(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not a number") from None


def _boolean(value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError(f"{value!r} is not true or false") from None


def _problems(settings: Settings) -> Mapping[str, str]:
    wrong: dict[str, str] = {}
    for name in ("http_port", "ocpp_port"):
        if not 0 <= getattr(settings, name) <= 65535:
            wrong[name] = "a port is 0 to 65535"
    for name, low, high in _RANGES:
        value = getattr(settings, name)
        if not low <= value <= high:
            wrong[name] = f"{value} is outside {low} to {high}"
    if settings.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        wrong["log_level"] = "one of DEBUG, INFO, WARNING, ERROR"
    if settings.database_url and not settings.database_url.startswith(
        ("postgresql://", "postgres://")
    ):
        wrong["database_url"] = "must begin with postgresql://"
    if settings.public_url and not _is_web_address(settings.public_url):
        wrong["public_url"] = "begins with http:// or https:// and a host, without a path"
    for prefix in ("", "http_", "vehicle_"):
        certificate, key = f"{prefix}tls_cert", f"{prefix}tls_key"
        if bool(getattr(settings, certificate)) != bool(getattr(settings, key)):
            wrong[key] = f"{certificate} and {key} belong together"
    wrong |= _pki_problems(settings)
    wrong |= _contract_problems(settings)
    wrong |= _vehicle_problems(settings)
    wrong |= _notification_problems(settings)
    if settings.allow_no_password and settings.ocpp_host not in LOCAL_HOSTS:
        wrong["allow_no_password"] = "chargers without a password are allowed on loopback only"
    if settings.auto_approve and settings.ocpp_host not in LOCAL_HOSTS:
        wrong["auto_approve"] = "approving every station unseen is allowed on loopback only"
    return wrong


def _vehicle_problems(settings: Settings) -> Mapping[str, str]:
    wrong: dict[str, str] = {}
    for version, path in settings.vdv261_paths.items():
        name = f"vdv261_v{version}_path"
        if not re.fullmatch(r"(?:/[A-Za-z0-9_.~-]+)+", path) or path.startswith("/api/"):
            wrong[name] = "begins with / and is not below /api"
    if settings.vdv261_v1_path == settings.vdv261_v2_path:
        wrong["vdv261_v2_path"] = "differs from that of version 1"
    if not -1 <= settings.vehicle_port <= 65535:
        wrong["vehicle_port"] = "a port is 0 to 65535, -1 is none"
    if settings.vehicle_tls_cert and settings.vehicle_port < 0:
        wrong["vehicle_tls_cert"] = "needs vehicle_port"
    return wrong


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.path in {"", "/"}


def _pki_problems(settings: Settings) -> Mapping[str, str]:
    wrong: dict[str, str] = {}
    if not -1 <= settings.wss_port <= 65535:
        wrong["wss_port"] = "a port is 0 to 65535, -1 is none"
    if settings.tls_names and settings.tls_cert:
        wrong["tls_names"] = "tls_cert names the certificate already"
    if settings.wss_port >= 0 and not settings.charger_tls:
        wrong["wss_port"] = "needs tls_cert, or tls_names for a certificate of voltyard's own"
    if settings.min_security_profile not in (0, 1, 2, 3):
        wrong["min_security_profile"] = "0, 1, 2 or 3"
    if settings.min_security_profile >= 2 and not settings.charger_tls:
        wrong["min_security_profile"] = "2 and 3 need tls_cert or tls_names"
    if settings.ocpp_url and not settings.ocpp_url.startswith(("ws://", "wss://")):
        wrong["ocpp_url"] = "must begin with ws:// or wss://"
    if settings.pki_key and not re.fullmatch("[0-9a-fA-F]{64}", settings.pki_key):
        wrong["pki_key"] = "32 bytes in hexadecimal"
    return wrong


def _contract_problems(settings: Settings) -> Mapping[str, str]:
    """Addresses that voltyard itself asks, so none may be half of one."""
    wrong: dict[str, str] = {}
    for name in ("revocation_urls", "contract_pool_url", "contract_pool_update_url"):
        words = getattr(settings, name).replace(",", " ").split()
        if any(not _is_plain_address(word) for word in words):
            wrong[name] = "begins with http:// or https:// and a host, and names no user"
        elif name != "revocation_urls" and len(words) > 1:
            wrong[name] = "one address"
    if settings.contract_pool_key and settings.contract_pool_url.startswith("http://"):
        host = urlsplit(settings.contract_pool_url).hostname
        if host not in LOCAL_HOSTS:
            wrong["contract_pool_key"] = "is sent by https:// only"
    if settings.contract_roots and not Path(settings.contract_roots).is_file():
        wrong["contract_roots"] = "there is no such file"
    return wrong


def _notification_problems(settings: Settings) -> Mapping[str, str]:
    wrong: dict[str, str] = {}
    smtp = settings.smtp_url
    if smtp and not smtp.startswith(("smtps://", "smtp://", "smtp+plain://")):
        wrong["smtp_url"] = "begins with smtps://, smtp:// or smtp+plain:// and a host"
    if smtp and "@" not in settings.mail_from:
        wrong["mail_from"] = "the address that e-mail comes from belongs to smtp_url"
    if settings.sms_provider not in ("twilio", "vonage"):
        wrong["sms_provider"] = "twilio or vonage"
    if settings.sms_url and not _is_plain_address(settings.sms_url):
        wrong["sms_url"] = "begins with http:// or https:// and a host, and names no user"
    if settings.sms_url and not (settings.sms_user and settings.sms_token and settings.sms_from):
        wrong["sms_url"] = "needs sms_user, sms_token and sms_from"
    for name in ("notify_networks", "sso_networks", "telematics_networks"):
        try:
            for word in getattr(settings, name).replace(",", " ").split():
                ip_network(word)
        except ValueError as error:
            wrong[name] = str(error)
    return wrong


def _is_plain_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        named = parts.username is not None or parts.password is not None
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not named


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("heartbeat_s", 10, 86_400),
    ("sample_s", 5, 900),
    ("tick_s", 0.5, 60),
    ("plan_s", 30, 3_600),
    ("commit_window_ms", 0, 5_000),
    ("pool_size", 2, 100),
    ("keep_frames_days", 1, 3_650),
    ("keep_meter_values_days", 1, 3_650),
    ("keep_power_samples_days", 1, 3_650),
    ("keep_logs_days", 1, 3_650),
    ("contract_timeout_s", 0.5, 60),
    ("notify_timeout_s", 1, 60),
    ("keep_notifications_days", 1, 3_650),
    ("keep_telematics_days", 1, 3_650),
)

"""The environment, read once and typed.

Every setting a deployment may change is a variable named here and in `.env.example`. A wrong value
stops the program before it starts, with the name of the variable and what to do about it; the value
itself is never shown, because it may be a secret.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args
from urllib.parse import unquote, urlsplit

import environ

ROOT = Path(__file__).resolve().parent.parent
Mode = Literal["sandbox", "live"]
SecondFactor = Literal["off", "operators", "everybody"]


class EnvironmentProblem(Exception):
    """One or more variables are wrong; the message has one line for each, with its remedy."""

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Each variable and what it must be: ("WEB_PORT", "must be a whole number")."""
        parted = (line.strip().removesuffix(".").partition(": ") for line in str(self).splitlines()[1:])
        return [(name, remedy) for name, _, remedy in parted]


@dataclass(frozen=True)
class WhatsApp:
    token: str
    phone_number_id: str
    business_account_id: str
    app_secrets: tuple[str, ...]
    verify_token: str
    graph_url: str
    graph_version: str


@dataclass(frozen=True)
class Groq:
    api_key: str
    base_url: str
    model: str
    deadline_seconds: float


@dataclass(frozen=True)
class Offsite:
    """Where copies of the backups go: s3://bucket/prefix or file:///folder; an empty url means nowhere."""

    url: str
    endpoint: str = ""
    access_key: str = ""
    secret_key: str = ""
    region: str = ""

    @property
    def storage(self) -> dict[str, Any]:
        """As an entry of Django's STORAGES."""
        parts = urlsplit(self.url)
        if parts.scheme == "file":
            options: dict[str, Any] = {"location": unquote(parts.path), "allow_overwrite": True}
            options |= {"file_permissions_mode": 0o600, "directory_permissions_mode": 0o700}
            return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
        options = {"bucket_name": parts.netloc, "location": parts.path.strip("/"), "region_name": self.region or None}
        options |= {"endpoint_url": self.endpoint or None, "access_key": self.access_key or None}
        # A server of one's own rarely has a name for each bucket; without a limit what is read back lies in memory whole.
        options |= {"addressing_style": "path" if self.endpoint else None, "max_memory_size": 16 * 1024 * 1024}
        options |= {"secret_key": self.secret_key or None}
        return {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": options}


@dataclass(frozen=True)
class Environment:
    mode: Mode
    secret_key: str
    field_keys: tuple[str, ...]
    index_key: str
    database_url: str | None
    redis_url: str | None
    data: Path
    keys: Path
    host: str
    web_port: int
    sandbox_port: int
    web_threads: int
    answer_workers: int
    allowed_hosts: tuple[str, ...]
    public_url: str
    behind_proxy: bool
    whatsapp: WhatsApp
    groq: Groq
    embedding_model: str
    embedding_threads: int
    reranker_model: str
    single_clinician: bool
    upload_limit_mb: int
    serve_starter_content: bool
    country: str
    emergency_numbers: str
    handover_hours: int
    burst_seconds: float
    raw_payload_days: int
    health_token: str
    metrics_token: str
    alerts_token: str
    second_factor: SecondFactor
    email_url: str
    email_from: str
    service_name: str
    incident_contact: str
    status_page: Path
    subscriber_networks: tuple[str, ...]
    outside_ping_url: str
    offsite: Offsite
    synchronous_replication: bool
    release: str
    log_level: str


class _Reader:
    """Collects every problem before refusing, so that one start shows all of them."""

    def __init__(self, source: Mapping[str, str]) -> None:
        self.source = source
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        return self.source.get(name, "").strip() or default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value not in allowed:
            self.problem(name, f"must be one of {', '.join(allowed)}")
            return default
        return value

    def number(self, name: str, default: float, low: float, high: float) -> float:
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            self.problem(name, f"must be a number from {low:g} to {high:g}")
            return default
        if not low <= value <= high:
            self.problem(name, f"must lie from {low:g} to {high:g}")
            return default
        return value

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.number(name, default, low, high)
        if value != int(value):
            self.problem(name, "must be a whole number")
        return int(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.choice(name, "true" if default else "false", ("true", "false", "1", "0", "yes", "no"))
        return value in ("true", "1", "yes")

    def many(self, name: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.text(name).split(",") if part.strip())

    def url(self, name: str, default: str, schemes: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value and (urlsplit(value).scheme not in schemes or not urlsplit(value).netloc):
            self.problem(name, f"must be an address that begins with {' or '.join(s + '://' for s in schemes)}")
        return value.rstrip("/")

    def problem(self, name: str, remedy: str) -> None:
        self.problems.append(f"{name}: {remedy}.")


def _kept(folder: Path, name: str, make: Callable[[], str]) -> str:
    """A generated secret, made on first use and kept with mode 0600. Two starters agree on one value."""
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        draft = folder / f".{name}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(make())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def _secret(reader: _Reader, name: str, mode: Mode, keys: Path, make: Callable[[], str]) -> str:
    value = reader.text(name)
    if value:
        return value
    if mode == "live":
        reader.problem(name, "must be set when JEEVO_MODE=live; `python -m jeevo.environment` prints fresh ones")
        return make()
    return _kept(keys, name.lower(), make)


def _check_field_keys(reader: _Reader, keys: tuple[str, ...]) -> None:
    for key in keys:
        try:
            if len(base64.urlsafe_b64decode(key)) == 32:
                continue
        except ValueError:
            pass
        reader.problem("FIELD_KEYS", "each key must be 32 bytes in URL-safe base64; `python -m jeevo.environment` prints one")


LIVE_WHATSAPP = ("WHATSAPP_TOKEN", "WHATSAPP_PHONE_NUMBER_ID", "WHATSAPP_APP_SECRET", "WHATSAPP_VERIFY_TOKEN")


def _whatsapp(reader: _Reader, mode: Mode, keys: Path, sandbox_port: int) -> WhatsApp:
    version = reader.text("WHATSAPP_GRAPH_VERSION", "v26.0")
    account = reader.text("WHATSAPP_BUSINESS_ACCOUNT_ID", "100000000000000")
    if mode == "sandbox":
        if reader.text("WHATSAPP_TOKEN"):
            reader.problem("WHATSAPP_TOKEN", "is set while JEEVO_MODE is sandbox; set JEEVO_MODE=live, or remove the token")
        secret = _kept(keys, "sandbox_secret", lambda: secrets.token_hex(16))
        graph = reader.url("WHATSAPP_GRAPH_URL", f"http://127.0.0.1:{sandbox_port}", ("http", "https"))
        # One token derived from the secret: the sandbox refuses any other, as Meta would.
        token = "sandbox-" + hashlib.sha256(secret.encode()).hexdigest()[:24]
        return WhatsApp(token, "200000000000000", account, (secret,), secret[:16], graph, version)
    for name in LIVE_WHATSAPP:
        if not reader.text(name):
            reader.problem(name, "must be set when JEEVO_MODE=live; docs/connect-a-number.md says where to find it")
    return WhatsApp(
        token=reader.text("WHATSAPP_TOKEN"),
        phone_number_id=reader.text("WHATSAPP_PHONE_NUMBER_ID"),
        business_account_id=reader.text("WHATSAPP_BUSINESS_ACCOUNT_ID"),
        app_secrets=reader.many("WHATSAPP_APP_SECRET"),
        verify_token=reader.text("WHATSAPP_VERIFY_TOKEN"),
        graph_url=reader.url("WHATSAPP_GRAPH_URL", "https://graph.facebook.com", ("http", "https")),
        graph_version=version,
    )


def _groq(reader: _Reader) -> Groq:
    return Groq(
        api_key=reader.text("GROQ_API_KEY"),
        base_url=reader.url("GROQ_BASE_URL", "https://api.groq.com", ("http", "https")),
        model=reader.text("GROQ_MODEL", "openai/gpt-oss-120b"),
        deadline_seconds=reader.number("GROQ_DEADLINE_SECONDS", 12, 1, 18),
    )


def _folder(reader: _Reader, name: str, default: str) -> Path:
    return (ROOT / reader.text(name, default)).resolve()


def _pair(reader: _Reader) -> tuple[str | None, str | None]:
    database = reader.url("DATABASE_URL", "", ("postgres", "postgresql")) or None
    redis = reader.url("REDIS_URL", "", ("redis", "rediss", "unix")) or None
    if (database is None) != (redis is None):
        missing = "REDIS_URL" if database else "DATABASE_URL"
        reader.problem(missing, "must be set too: set both to use your own servers, or neither to use the embedded ones")
    if redis and urlsplit(redis).path.strip("/"):
        reader.problem("REDIS_URL", "must not name a database number: Jeevo uses /0 for the broker and /1 for the cache")
    return database, redis


def _live_only(reader: _Reader, mode: Mode) -> tuple[tuple[str, ...], str]:
    hosts, public = reader.many("ALLOWED_HOSTS"), reader.url("PUBLIC_URL", "", ("http", "https"))
    if mode == "live" and not hosts:
        reader.problem("ALLOWED_HOSTS", "must name the host names that reach this server, separated by commas")
    if mode == "live" and not public.startswith("https://"):
        reader.problem("PUBLIC_URL", "must be the https:// address of this server")
    return hosts or ("127.0.0.1", "localhost", "[::1]"), public


def _second_factor(reader: _Reader, mode: Mode) -> SecondFactor:
    """Off in the sandbox, where the password is printed on the screen; for operators everywhere else."""
    usual = "operators" if mode == "live" else "off"
    return cast(SecondFactor, reader.choice("SECOND_FACTOR", usual, get_args(SecondFactor)))


def _networks(reader: _Reader) -> tuple[str, ...]:
    """Private networks that subscribers' addresses may lie in; none by default."""
    networks = reader.many("SUBSCRIBER_NETWORKS")
    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError:
            reader.problem("SUBSCRIBER_NETWORKS", "each must be a network such as 10.20.0.0/16")
    return networks


def _offsite(reader: _Reader) -> Offsite:
    url = reader.text("OFFSITE_URL").rstrip("/")
    parts = urlsplit(url)
    if url and not (parts.scheme == "s3" and parts.netloc) and not (parts.scheme == "file" and len(parts.path) > 1):
        reader.problem("OFFSITE_URL", "must be s3://bucket/prefix or file:///folder")
        url = ""
    access, secret = reader.text("OFFSITE_ACCESS_KEY"), reader.text("OFFSITE_SECRET_KEY")
    if bool(access) != bool(secret):
        missing = "OFFSITE_SECRET_KEY" if access else "OFFSITE_ACCESS_KEY"
        reader.problem(missing, "must be set too: the two belong together")
    endpoint = reader.url("OFFSITE_ENDPOINT", "", ("http", "https"))
    return Offsite(url, endpoint, access, secret, reader.text("OFFSITE_REGION"))


def _folders(reader: _Reader) -> tuple[Path, Path]:
    data, keys = _folder(reader, "JEEVO_DATA_DIR", ".jeevo/data"), _folder(reader, "JEEVO_KEYS_DIR", ".jeevo/keys")
    if data == keys or data in keys.parents:
        # Nothing is generated into a place that is about to be refused.
        keys = _folder(reader, "", ".jeevo/keys")
        reader.problem("JEEVO_KEYS_DIR", "must lie outside JEEVO_DATA_DIR, so that a copy of the data does not carry its keys")
    return data, keys


def _country(reader: _Reader) -> str:
    country = reader.text("DEFAULT_COUNTRY", "IN").upper()
    if len(country) != 2 or not country.isalpha():
        reader.problem("DEFAULT_COUNTRY", "must be a two-letter country code such as IN")
    return country


def read(source: Mapping[str, str]) -> Environment:
    """Everything from the environment, or EnvironmentProblem naming each wrong variable and its remedy."""
    reader = _Reader(source)
    mode = cast(Mode, reader.choice("JEEVO_MODE", "sandbox", get_args(Mode)))
    data, keys = _folders(reader)
    database, redis = _pair(reader)
    field_keys = reader.many("FIELD_KEYS") or (_secret(reader, "FIELD_KEYS", mode, keys, _fernet_key),)
    _check_field_keys(reader, field_keys)
    sandbox_port = reader.integer("SANDBOX_PORT", 8001, 1, 65535)
    hosts, public = _live_only(reader, mode)
    environment = Environment(
        mode=mode,
        secret_key=_secret(reader, "SECRET_KEY", mode, keys, lambda: secrets.token_urlsafe(50)),
        field_keys=field_keys,
        index_key=_secret(reader, "INDEX_KEY", mode, keys, lambda: secrets.token_hex(32)),
        database_url=database,
        redis_url=redis,
        data=data,
        keys=keys,
        host=reader.text("HOST", "127.0.0.1"),
        web_port=reader.integer("WEB_PORT", 8000, 1, 65535),
        sandbox_port=sandbox_port,
        web_threads=reader.integer("WEB_THREADS", 4, 1, 64),
        answer_workers=reader.integer("ANSWER_WORKERS", 2, 1, 64),
        allowed_hosts=hosts,
        public_url=public,
        behind_proxy=reader.flag("BEHIND_PROXY", mode == "live"),
        whatsapp=_whatsapp(reader, mode, keys, sandbox_port),
        groq=_groq(reader),
        embedding_model=reader.text("EMBEDDING_MODEL", "all-MiniLM-L6-v2"),
        embedding_threads=reader.integer("EMBEDDING_THREADS", 1, 1, 64),
        reranker_model=reader.text("RERANKER_MODEL"),
        single_clinician=reader.flag("SINGLE_CLINICIAN", False),
        upload_limit_mb=reader.integer("UPLOAD_LIMIT_MB", 200, 1, 2000),
        serve_starter_content=reader.flag("SERVE_STARTER_CONTENT", mode == "sandbox"),
        country=_country(reader),
        emergency_numbers=reader.text("EMERGENCY_NUMBERS"),
        handover_hours=reader.integer("HANDOVER_HOURS", 24, 1, 72),
        burst_seconds=reader.number("BURST_SECONDS", 2, 0, 10),
        raw_payload_days=reader.integer("RAW_PAYLOAD_DAYS", 30, 1, 365),
        health_token=reader.text("HEALTH_TOKEN"),
        metrics_token=reader.text("METRICS_TOKEN"),
        alerts_token=reader.text("ALERTS_TOKEN"),
        second_factor=_second_factor(reader, mode),
        email_url=reader.url("EMAIL_URL", "", ("smtp", "smtp+tls", "smtp+ssl")),
        email_from=reader.text("EMAIL_FROM", "jeevo@localhost"),
        service_name=reader.text("SERVICE_NAME", "Jeevo health helpline"),
        incident_contact=reader.text("INCIDENT_CONTACT"),
        status_page=_folder(reader, "STATUS_PAGE_DIR", str(data / "status")),
        subscriber_networks=_networks(reader),
        outside_ping_url=reader.url("OUTSIDE_PING_URL", "", ("http", "https")),
        offsite=_offsite(reader),
        synchronous_replication=reader.flag("SYNCHRONOUS_REPLICATION", True),
        release=reader.text("JEEVO_RELEASE"),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
    )
    if reader.problems:
        raise EnvironmentProblem("Jeevo cannot start with these settings:\n  " + "\n  ".join(reader.problems))
    return environment


def load_dotenv(path: Path = ROOT / ".env") -> None:
    """Put `.env` into the process environment; a variable that is already set wins."""
    if path.is_file():
        environ.Env.read_env(path)


if __name__ == "__main__":
    print(f"SECRET_KEY={secrets.token_urlsafe(50)}\nFIELD_KEYS={_fernet_key()}\nINDEX_KEY={secrets.token_hex(32)}")

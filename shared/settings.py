"""Settings: one environment variable each, checked at start, each with a limit.

A variable is `TELLONCE_` and the upper-case field name.
`docs/reference/settings.md` is generated from this file.
"""

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared import addresses, errors
from shared.bus_address import BusAddress

PREFIX = "TELLONCE_"
_ROOT = Path(__file__).resolve().parent.parent
EMBEDDED_SECRETS = _ROOT / "deploy" / "embedded" / "secrets.env"
REFUSED_FILES = " ".join(
    (
        *("*.exe", "*.dll", "*.scr", "*.pif", "*.bat", "*.cmd", "*.msi", "*.vbs", "*.vbe", "*.jse"),
        *("*.wsf", "*.wsh", "*.hta", "*.ps1", "*.jar", "*.lnk", "*.reg", "*.cpl"),
        *("application/x-msdownload", "application/x-msdos-program", "application/x-dosexec"),
    )
)
"""Programs: whoever opens such a file runs it."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a service can be told from outside."""

    nats_url: Annotated[str, Meta(description="where NATS listens", max_length=2048)] = (
        "nats://127.0.0.1:4222"
    )
    nats_seed_file: Annotated[
        str,
        Meta(
            description="file with the seed of the nkey by which NATS knows this process; empty: none",
            max_length=4096,
        ),
    ] = ""
    nats_ca_file: Annotated[
        str,
        Meta(
            description="certificates of who vouches for NATS's own; empty: those that the system believes",
            max_length=4096,
        ),
    ] = ""
    postgres_dsn: Annotated[
        str, Meta(description="where history's Postgres listens", max_length=2048)
    ] = "postgresql://tellonce@127.0.0.1:5432/tellonce"
    ingest_host: Annotated[
        str, Meta(description="address that ingest's doors bind", max_length=255)
    ] = "127.0.0.1"
    ingest_port: Annotated[
        int, Meta(description="port of ingest's doors; 0 takes a free one", ge=0, le=65535)
    ] = 0
    monitor_host: Annotated[
        str, Meta(description="address that a service's probes and metrics bind", max_length=255)
    ] = "127.0.0.1"
    monitor_port: Annotated[
        int, Meta(description="port of its probes and metrics; 0 takes a free one", ge=0, le=65535)
    ] = 0
    public_url: Annotated[
        str,
        Meta(
            description="address under which providers reach the doors; signatures cover it",
            max_length=2048,
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        Meta(
            description="addresses and networks of proxies whose X-Forwarded-For is believed, separated by blanks",
            max_length=8_192,
        ),
    ] = ""
    smtp_url: Annotated[
        str,
        Meta(
            description="mail server for messages to customers",
            pattern=r"^smtps?://[^/]",
            max_length=2048,
        ),
    ] = "smtp://127.0.0.1:25"
    providers_url: Annotated[
        str,
        Meta(
            description="gateway before providers' APIs: what is for `https://api.example/x` goes to"
            " `<this>/api.example/x`; empty: to the provider itself",
            max_length=2048,
        ),
    ] = ""
    policy: Annotated[
        str,
        Meta(
            description="the tenant's policy file, or a folder of `*.yaml`, one tenant each",
            max_length=4096,
        ),
    ] = str(_ROOT / "deploy" / "embedded" / "policy.yaml")
    defaults: Annotated[
        Literal["ours", "before"],
        Meta(
            description="`before`: what a policy does not ask for is as the version before had it, so that it can come"
            " back; for all services of the new version, until it stays"
        ),
    ] = "ours"
    secrets_file: Annotated[
        str,
        Meta(
            description="file of NAME=value secrets; variables of the environment win",
            max_length=4096,
        ),
    ] = str(EMBEDDED_SECRETS)
    ledger_mark: Annotated[
        str,
        Meta(
            description="file that remembers the ledger outside NATS; empty: none",
            max_length=4096,
        ),
    ] = ""
    log_format: Annotated[Literal["json", "console"], Meta(description="form of a log line")] = (
        "json"
    )
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level logged")
    ] = "info"

    replicas: Annotated[int, Meta(description="copies of each stream", ge=1, le=5)] = 1
    duplicate_window_seconds: Annotated[
        float, Meta(description="how long the streams remember message ids", ge=0.1, le=3600)
    ] = 120.0
    body_max_bytes: Annotated[
        int,
        Meta(description="largest body a door takes, of any medium but mail", ge=1_024, le=225_280),
    ] = 196_608
    mail_max_bytes: Annotated[
        int,
        Meta(
            description="largest mail a door takes, attachments included as they are encoded",
            ge=1_024,
            le=67_108_864,
        ),
    ] = 27_262_976
    bodies_max_bytes: Annotated[
        int,
        Meta(
            description="bodies that one ingest reads or stores at once, in sum; those beyond"
            " `TELLONCE_BODY_MAX_BYTES` take three quarters of it at most",
            ge=1_048_576,
            le=68_719_476_736,
        ),
    ] = 268_435_456
    header_max_bytes: Annotated[
        int, Meta(description="headers kept per delivery, in sum", ge=256, le=32_768)
    ] = 16_384
    door_concurrency: Annotated[
        int, Meta(description="signed deliveries stored at once", ge=1, le=10_000)
    ] = 256
    account_concurrency: Annotated[
        int, Meta(description="signed deliveries of one account stored at once", ge=1, le=10_000)
    ] = 192
    door_arrivals: Annotated[
        int, Meta(description="bodies on their way in at once", ge=1, le=10_000)
    ] = 1_024
    peer_arrivals: Annotated[
        int,
        Meta(
            description="bodies on their way in from one address, and its chats that wrote nothing yet",
            ge=1,
            le=10_000,
        ),
    ] = 512
    body_bytes_per_second: Annotated[
        int, Meta(description="least rate of a body, after five seconds", ge=1, le=1_048_576)
    ] = 1_024
    door_timeout_seconds: Annotated[
        float, Meta(description="longest wait for a whole request and its storing", ge=0.5, le=60)
    ] = 10.0
    socket_sessions_max: Annotated[int, Meta(description="open chat sockets", ge=1, le=100_000)] = (
        5_000
    )
    chat_origins: Annotated[
        str,
        Meta(
            description="origins that may open chat sockets, separated by blanks; empty: any",
            max_length=8_192,
        ),
    ] = ""
    chat_messages_per_minute: Annotated[
        int, Meta(description="frames of one chat socket that are taken per minute", ge=1, le=6_000)
    ] = 120
    chat_file_max_bytes: Annotated[
        int, Meta(description="largest file that a chat page may send", ge=1, le=14_680_064)
    ] = 10_485_760
    chat_file_kinds: Annotated[
        str,
        Meta(
            description="media types of files that a chat page may send, separated by blanks; empty: none",
            max_length=2_048,
        ),
    ] = "image/jpeg image/png image/webp image/gif image/heic image/heif application/pdf"
    attachment_max_bytes: Annotated[
        int,
        Meta(description="largest file of a message that is kept", ge=1_024, le=104_857_600),
    ] = 26_214_400
    attachment_refused: Annotated[
        str,
        Meta(
            description="patterns of media types (with a slash) and of names of files that are not kept",
            max_length=8_192,
        ),
    ] = REFUSED_FILES
    attachment_timeout_seconds: Annotated[
        float, Meta(description="longest wait for a file of a provider", ge=1, le=600)
    ] = 60.0
    attachment_networks: Annotated[
        str,
        Meta(
            description="own networks that files may be fetched from, and without TLS, separated by blanks",
            max_length=8_192,
        ),
    ] = ""
    attachment_address_seconds: Annotated[
        int, Meta(description="how long the address of a file is good", ge=10, le=86_400)
    ] = 300
    files_url: Annotated[
        str,
        Meta(
            description="S3-compatible store for customers' files, `s3+https://host/bucket`, a prefix may follow;"
            " empty: the stream FILES. Its secrets: `FILES_ACCESS_KEY`, `FILES_SECRET_KEY`",
            pattern=r"^(s3\+https?://[^/?#@\s]+/[^/?#\s]+(/[\w.\-]+)*/?)?\Z",
            max_length=2048,
        ),
    ] = ""
    files_region: Annotated[
        str,
        Meta(
            description="region that requests to that store are signed for",
            pattern=r"^[a-z0-9-]+\Z",
            max_length=64,
        ),
    ] = "us-east-1"
    normalise_batch: Annotated[
        int, Meta(description="deliveries parsed per batch and account", ge=1, le=512)
    ] = 64
    request_timeout_seconds: Annotated[
        float, Meta(description="longest wait for an answer of another service", ge=0.1, le=60)
    ] = 5.0
    append_retries: Annotated[
        int, Meta(description="decisions tried again after a conflict", ge=0, le=100)
    ] = 20
    aggregate_cache: Annotated[
        int, Meta(description="folded aggregates of each kind kept in memory", ge=16, le=1_000_000)
    ] = 10_000
    projection_batch: Annotated[
        int, Meta(description="events per transaction of the projector", ge=1, le=10_000)
    ] = 2_000
    rebuild_processes: Annotated[
        int, Meta(description="processes that fill new tables from the ledger", ge=1, le=16)
    ] = 2
    query_wait_seconds: Annotated[
        float, Meta(description="longest wait of a query for `min_seq`", ge=0, le=60)
    ] = 5.0
    query_rows: Annotated[int, Meta(description="rows of one answer", ge=1, le=10_000)] = 500

    def bus_address(self) -> BusAddress:
        """Return where the bus is, and as whom to speak there."""
        return BusAddress(
            url=self.nats_url, seed_file=self.nats_seed_file, ca_file=self.nats_ca_file
        )


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings in `environment`. Raises: SettingInvalid, which names the variable and its limit."""
    given = {
        field: environment[PREFIX + field.upper()]
        for field in Settings.__struct_fields__
        if environment.get(PREFIX + field.upper(), "") != ""
    }
    try:
        found = msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        # msgspec ends its sentence with the field: "Expected `int` >= 1 - at `$.query_rows`".
        what, _, field = str(error).rpartition(" - at `$.")
        variable = PREFIX + field.rstrip("`").upper()
        raise errors.SettingInvalid(f"{variable} is not usable: {what}") from None
    proxies(found)
    attachment_networks(found)
    if found.mail_max_bytes > large_bodies_max_bytes(found):
        raise errors.SettingInvalid(
            f"{PREFIX}MAIL_MAX_BYTES is not usable: larger than three quarters of {PREFIX}BODIES_MAX_BYTES"
        )
    for name, url in (("PUBLIC_URL", found.public_url), ("PROVIDERS_URL", found.providers_url)):
        if url and not addresses.is_web_url(url):
            raise errors.SettingInvalid(
                f"{PREFIX}{name} is not usable: no address such as https://shop.example"
            )
    return found


def proxies(settings: Settings) -> list[IPv4Network | IPv6Network]:
    """Return the networks whose X-Forwarded-For is believed. Raises: SettingInvalid."""
    return _networks("TRUSTED_PROXIES", settings.trusted_proxies)


def attachment_networks(settings: Settings) -> list[IPv4Network | IPv6Network]:
    """Return our own networks that files may be fetched from. Raises: SettingInvalid."""
    return _networks("ATTACHMENT_NETWORKS", settings.attachment_networks)


def _networks(name: str, written: str) -> list[IPv4Network | IPv6Network]:
    try:
        return [ip_network(each, strict=False) for each in written.split()]
    except ValueError as error:
        raise errors.SettingInvalid(f"{PREFIX}{name} is not usable: {error}") from None


def large_bodies_max_bytes(settings: Settings) -> int:
    """Return how much of `bodies_max_bytes` large bodies take at most: the rest is left to small ones."""
    return settings.bodies_max_bytes * 3 // 4

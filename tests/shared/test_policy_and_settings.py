"""A policy that contradicts itself, and a setting beyond its limit, are told when they are loaded."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from shared import policy, secret_values, settings, strict
from shared.errors import PolicyInvalid, SecretPublic, SettingInvalid, TenantUnknown
from shared.policies import Policies
from shared.settings import Settings
from tests.router.samples import POLICY_TEXT


def edited(path: str, value: object) -> bytes:
    """Return the tests' policy with one place changed; `path` is separated by `|`."""
    whole = yaml.safe_load(POLICY_TEXT)
    place, *rest = whole, *path.split("|")
    for name in rest[:-1]:
        place = place[name]
    place[rest[-1]] = value
    return yaml.safe_dump(whole).encode()


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("agents|piotr|queues", ["zoo"], "agent piotr: no queue zoo"),
        ("queues|hotline|supervisor", "zoe", "queue hotline: no agent zoe"),
        ("queues|hotline|next_line", {"queue": "zoo"}, "queue hotline: no queue zoo"),
        (
            "queues|hotline|next_line",
            {"queue": "hotline"},
            "queue hotline: next_line: it leads back to it",
        ),
        (
            "queues|hotline|next_line",
            {"queue": "warehouse", "texts": {"en": "You hear of {name} by {by}"}},
            "queue hotline: nothing stands for {name} in a text",
        ),
        (
            "external",
            {"carrier": {"title": "Carrier", "number": "22 100 20 03"}},
            "external carrier: 22 100 20 03 is no phone number of E.164",
        ),
        ("accounts|chat/shop|queue", "zoo", "account chat/shop: no queue zoo"),
        ("accounts|form/contact|topics", {"x": "zoo"}, "account form/contact: no queue zoo"),
        ("accounts|chat", {"queue": "hotline"}, "account chat: not <channel>/<name>"),
        (
            "accounts|chat/My Shop",
            {"queue": "hotline"},
            "account chat/My Shop: not <channel>/<name>",
        ),
        ("region", "UK", "region UK: no country of ISO 3166"),
        ("accounts|chat/shop|region", "pl", "region pl: no country of ISO 3166"),
        (
            "accounts|email/shop|address",
            "help@shop..example",
            "account email/shop: the address is no e-mail address",
        ),
        ("never_identifies", ["("], "pattern (: "),
        ("patterns", [{"fact": "x", "pattern": "["}], "pattern [: "),
        ("never_identifies", ["a{99999999999999}"], "pattern a{"),
        ("never_identifies", ["(" * 5_000 + ")" * 5_000], "pattern (("),
    ],
)
def test_a_contradiction_is_named(path: str, value: object, complaint: str) -> None:
    """The policy is refused whole, and the message says what names what is not there."""
    with pytest.raises(PolicyInvalid, match="contradicts itself") as refusal:
        policy.parse(edited(path, value))
    assert complaint in str(refusal.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tenant", "Not A Token"),
        ("agents|piotr|slots", 0),
        ("agents|piotr|slot", 3),
        ("times|offer_seconds", 0),
        ("times|offer_seconds", "soon"),
        ("accounts|chat/shop|mapping", {"callr": "who"}),
        ("accounts|chat/shop|mapping", {"caller": ""}),
        ("queues", None),
        ("unheard", 1),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(path: str, value: object) -> None:
    """A typing error is an error, not a default."""
    with pytest.raises(PolicyInvalid, match="does not fit its schema"):
        policy.parse(edited(path, value))


@pytest.mark.parametrize(
    "content", [b"", b"- 1", b"a: [", b"\xff", b"tenant: !!python/name:os.system"]
)
def test_what_is_no_policy_is_refused(content: bytes) -> None:
    """Nothing, a list, broken YAML, no text, an object of Python."""
    with pytest.raises(PolicyInvalid):
        policy.parse(content)


def test_a_policy_file_must_be_there_and_small(tmp_path: Path) -> None:
    """A missing file and one beyond the limit are refused before they are read."""
    with pytest.raises(PolicyInvalid, match="cannot be read"):
        policy.load(tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (policy.POLICY_MAX_BYTES + 1))
    with pytest.raises(PolicyInvalid, match="too large"):
        policy.load(large)


@pytest.mark.parametrize(
    ("account", "written", "normal"),
    [
        ("twilio_voice/hotline", "12 345 67 89", "+48123456789"),
        ("twilio_voice/hotline", "0048 12 345 67 89", "+48123456789"),
        ("email/shop", "Help@Straße.example", "help@xn--strae-oqa.example"),
        ("sms/shop", "7575", "7575"),
        ("sms/shop", "SHOP", "SHOP"),
    ],
)
def test_an_own_address_is_compared_as_customers_handles_are(
    account: str, written: str, normal: str
) -> None:
    """In its normal form; a short code or a sender's name is no handle and stays as it is."""
    read = policy.parse(edited(f"accounts|{account}|address", written))
    assert read.accounts[account].address == normal


def test_an_id_of_ours_at_a_provider_stays_as_it_is() -> None:
    """Where customers are reached by a provider's ids, its digits are no number, though they could be one."""
    account = {"queue": "hotline", "address": "123456789"}
    read = policy.parse(edited("accounts|page/shop", {**account, "reaches": "account"}))
    assert read.accounts["page/shop"].address == "123456789"
    dialled = policy.parse(edited("accounts|page/shop", account))
    assert dialled.accounts["page/shop"].address == "+48123456789"


def test_the_signing_secret_has_a_short_form() -> None:
    """`secret` is `secrets: {signing: …}`; both at once contradict each other."""
    account = {"queue": "hotline", "secrets": {"signing": "SHOP_KEY"}}
    short = {"queue": "hotline", "secret": "SHOP_KEY"}
    long_form = policy.parse(edited("accounts|chat/shop", account))
    assert policy.parse(edited("accounts|chat/shop", short)) == long_form
    assert long_form.accounts["chat/shop"].secrets == {"signing": "SHOP_KEY"}
    with pytest.raises(PolicyInvalid, match=r"both secret and secrets\.signing"):
        policy.parse(edited("accounts|chat/shop", {**account, **short}))


@pytest.mark.parametrize(
    "text",
    [b"tenant: 2020-99-99", b"tenant: " + b"9" * 5_000, b"a: " + b"[" * 20_000, b"\xff\x00"],
    ids=["no_date", "digits", "depth", "no_text"],
)
def test_what_yaml_cannot_read_is_refused(text: bytes) -> None:
    """Whatever the parser raises, the operator gets one code."""
    with pytest.raises(PolicyInvalid, match="does not fit its schema"):
        policy.parse(text)


def test_an_account_may_have_a_region_of_its_own() -> None:
    """The others have the tenant's."""
    read = policy.parse(edited("accounts|form/contact|region", "DE"))
    assert (read.accounts["form/contact"].region, read.accounts["chat/shop"].region) == ("DE", "PL")


def test_a_policys_version_is_its_content() -> None:
    """Blanks, comments and the order of keys do not matter; any value does."""
    first = policy.parse(POLICY_TEXT)
    assert (
        policy.parse(yaml.safe_dump(yaml.safe_load(POLICY_TEXT)).encode()).version == first.version
    )
    assert policy.parse(edited("times|offer_seconds", 31)).version != first.version


def test_the_embedded_policy_is_sound() -> None:
    """What the stack starts with loads, and each of its secrets is in its file."""
    chosen = settings.load({})
    needed = secret_values.needed_secrets(policy.load(chosen.policy))
    assert "LOOKUP_KEY" in needed
    assert set(needed) <= set(secret_values.load_secrets(chosen, {}))


def test_an_unknown_tenant_has_no_policy() -> None:
    """Nobody's subjects are answered by somebody else's policy."""
    with pytest.raises(TenantUnknown):
        Policies(policy.parse(POLICY_TEXT)).of("nobody")


# -- settings -------------------------------------------------------------------------------------------


def limits() -> list[tuple[str, float]]:
    """Return every (field, value just beyond its limit)."""
    beyond: list[tuple[str, float]] = []
    for field in msgspec.json.schema(Settings)["$defs"]["Settings"]["properties"].items():
        name, schema = field
        step = 1 if schema.get("type") == "integer" else 0.001
        if "minimum" in schema:
            beyond.append((name, schema["minimum"] - step))
        if "maximum" in schema:
            beyond.append((name, schema["maximum"] + step))
    return beyond


@pytest.mark.parametrize(("field", "value"), limits())
def test_a_setting_beyond_its_limit_is_refused(field: str, value: float) -> None:
    """Each number has a least and a largest value, and the error names the setting."""
    with pytest.raises(SettingInvalid, match=f"TELLONCE_{field.upper()} "):
        settings.load({f"TELLONCE_{field.upper()}": str(value)})


def test_every_number_has_a_limit() -> None:
    """Both ways: no setting can make a queue, a wait or a batch boundless."""
    numbers = [
        name for name, kind in Settings.__annotations__.items() if re.search("int|float", str(kind))
    ]
    assert numbers
    for name in numbers:
        assert len([1 for field, _ in limits() if field == name]) == 2, name


@pytest.mark.parametrize(
    ("name", "value"),
    [("REPLICAS", "three"), ("LOG_FORMAT", "xml"), ("NATS_URL", "n" * 2_049), ("REPLICAS", "1.5")],
)
def test_an_unreadable_setting_is_refused(name: str, value: str) -> None:
    """Words for numbers, unknown choices, endless addresses."""
    with pytest.raises(SettingInvalid):
        settings.load({f"TELLONCE_{name}": value})


def test_an_empty_setting_is_its_default() -> None:
    """As compose files give it."""
    assert settings.load({"TELLONCE_REPLICAS": "", "TELLONCE_INGEST_PORT": "8080"}) == Settings(
        ingest_port=8080
    )


def test_the_environments_secrets_win_over_the_file(tmp_path: Path) -> None:
    """A variable of the same name replaces the file's value; an empty one does not."""
    path = tmp_path / "secrets.env"
    path.write_text("# a comment\n\nA = one\nB=two=2\n")
    chosen = Settings(secrets_file=str(path))
    assert secret_values.load_secrets(chosen, {"A": "other", "B": ""}) == {
        "A": "other",
        "B": "two=2",
    }


def test_a_secret_may_stand_in_the_environment_alone(tmp_path: Path) -> None:
    """What the policy names is found there without a line in the file; nothing else is read."""
    path, accounts = (
        tmp_path / "policy.yaml",
        {"chat/shop": {"queue": "hotline", "secrets": {"signing": "CHAT"}}},
    )
    path.write_bytes(edited("accounts", accounts))
    chosen = Settings(secrets_file="/dev/null", policy=str(path))
    given = {
        "CHAT": "one",
        "LOOKUP_KEY": "two",
        "HOME": "/",
        "TWILIO_AUTH_TOKEN": "not of this policy",
    }
    assert secret_values.load_secrets(chosen, given) == {"CHAT": "one", "LOOKUP_KEY": "two"}
    assert secret_values.load_secrets(chosen, {}) == {}


def test_a_policy_needs_the_secrets_of_its_accounts_and_the_lookup_key() -> None:
    """Each name once; an account without a secret adds none."""
    accounts = {
        "chat/shop": {"queue": "hotline"},
        "email/shop": {"queue": "hotline", "secrets": {"signing": "M"}},
    }
    assert secret_values.needed_secrets(policy.parse(edited("accounts", accounts))) == [
        "LOOKUP_KEY",
        "M",
    ]
    assert secret_values.needed_secrets(policy.parse(edited("lookup_secret", "OURS"))) == [
        "OURS",
        "S",
    ]


def test_a_mail_that_would_never_find_room_is_no_setting() -> None:
    """Else it would be sent again for days: large bodies share three quarters of the room for all."""
    room = {"TELLONCE_BODIES_MAX_BYTES": "4000000"}
    assert settings.load({**room, "TELLONCE_MAIL_MAX_BYTES": "3000000"}).mail_max_bytes == 3_000_000
    with pytest.raises(SettingInvalid, match="TELLONCE_BODIES_MAX_BYTES"):
        settings.load({**room, "TELLONCE_MAIL_MAX_BYTES": "3000001"})


@pytest.mark.parametrize(("content", "line"), [(b"A\n", 1), (b"A=1\n# b\nB\n", 3)])
def test_a_line_without_a_value_is_named(tmp_path: Path, content: bytes, line: int) -> None:
    """By its number: its text may be a secret."""
    path = tmp_path / "secrets.env"
    path.write_bytes(content)
    with pytest.raises(SettingInvalid) as refusal:
        secret_values.load_secrets(Settings(secrets_file=str(path)), {})
    assert refusal.value.details == {"line": line}


@pytest.mark.parametrize("content", [None, b"A=\xff\n"])
def test_a_secrets_file_that_cannot_be_read_is_an_error(
    tmp_path: Path, content: bytes | None
) -> None:
    """No file, or one that is no text."""
    path = tmp_path / "secrets.env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingInvalid, match="cannot be read"):
        secret_values.load_secrets(Settings(secrets_file=str(path)), {})


@pytest.mark.parametrize(
    ("host", "public_url", "refused"),
    [
        ("127.0.0.1", "", False),
        ("127.0.0.2", "http://localhost:8080", False),
        ("::1", "http://[::1]:8080", False),
        ("127.0.0.1", "https://doors.shop.example", True),
        ("0.0.0.0", "", True),
        ("192.0.2.1", "http://127.0.0.1:8080", True),
    ],
)
def test_the_embedded_secrets_are_for_loopback_only(
    host: str, public_url: str, refused: bool
) -> None:
    """Whoever can reach a door can also read those secrets and sign with them."""
    chosen = Settings(ingest_host=host, public_url=public_url)
    if refused:
        with pytest.raises(SecretPublic, match="CHAT_SIGNING_KEY"):
            secret_values.load_secrets(chosen, {})
        own = dict.fromkeys(secret_values.load_secrets(Settings(), {}), "our own")
        assert secret_values.load_secrets(chosen, own) == own
    else:
        assert secret_values.load_secrets(chosen, {})


def test_a_key_that_stands_twice_in_a_policy_is_refused() -> None:
    """The second queue of one name would replace the first in silence; what `<<` brings may be said otherwise."""
    twice = POLICY_TEXT.replace(b"queues:", b"queues:\n  hotline: {title: First}", 1)
    with pytest.raises(PolicyInvalid, match="a key stands twice"):
        policy.parse(twice)
    merged = b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n"
    assert strict.read_yaml(merged)["b"] == {"x": 1, "y": 3}

"""How each provider's files are asked for, and what is refused before anybody asks."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from services.ingest.domain import fetching
from services.ingest.domain.fetching import FileAnswer, FileRequest, Unfetchable, WantedFile, basic
from services.ingest.sources import SOURCES, Source, asterisk, sms, telegram, whatsapp
from shared.events import AttachedFile
from shared.policy import Account
from tests.ingest.large_mails import PHOTO, mail_of
from tests.ingest.running_ingest import raw

SECRETS = {
    "token": "12:AB",
    "signing": "auth",
    "account_sid": "AC1",
    "ari_user": "tellonce",
    "ari_password": "p",
}


def wanted(source: str, api: str | None = None) -> WantedFile:
    """A file of an account that has every secret."""
    return WantedFile(source, Account(queue="hotline", api=api), SECRETS)


def requests(asking: fetching.Asking, *answers: object) -> Sequence[FileRequest]:
    """What is asked when these are the answers, as JSON, and the file at last."""
    asked = [next(asking)]
    asked += [asking.send(FileAnswer(msgspec.json.encode(each))) for each in answers]
    with pytest.raises(StopIteration):
        asking.send(FileAnswer(b"the file"))
    return asked


def test_telegram_is_asked_for_the_path_first() -> None:
    """Both addresses hold the bot's token; an id is no path."""
    api = "https://api.telegram.org"
    found = requests(
        telegram.fetch(wanted("AgAC/../x")), {"ok": True, "result": {"file_path": "photos/1.jpg"}}
    )
    assert [each.url for each in found] == [
        f"{api}/bot12:AB/getFile?file_id=AgAC%2F..%2Fx",
        f"{api}/file/bot12:AB/photos/1.jpg",
    ]
    own = requests(
        telegram.fetch(wanted("a", "https://bot.shop.example")), {"result": {"file_path": "p"}}
    )
    assert own[1].url == "https://bot.shop.example/file/bot12:AB/p"


def test_whatsapp_is_asked_for_the_address_first() -> None:
    """Both requests show the token."""
    url = "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1"
    first, second = requests(whatsapp.fetch(wanted("123")), {"url": url, "id": "123"})
    assert (first.url, second.url) == ("https://graph.facebook.com/v21.0/123", url)
    assert first.secret == second.secret == {"authorization": "Bearer 12:AB"}
    (alone,) = requests(whatsapp.fetch(wanted(url)))
    assert alone.url == url


@pytest.mark.parametrize("source", [telegram, whatsapp], ids=["telegram", "whatsapp"])
@pytest.mark.parametrize("answer", [b"[]", b"<html>", b'{"result": 1, "url": 2}'])
def test_an_answer_without_an_address_is_asked_for_again(source: Source, answer: bytes) -> None:
    """The provider may say it another time."""
    asking = source.fetch(wanted("123"))
    next(asking)
    with pytest.raises(Unfetchable) as refusal:
        asking.send(FileAnswer(answer))
    assert (refusal.value.reason, refusal.value.passing) == ("unreadable_answer", True)


def test_a_picture_of_a_text_message_shows_its_own_provider_the_secrets() -> None:
    """And no other host, whatever address stands in a delivery."""
    twilio = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    (found,) = requests(sms.fetch(wanted(twilio)))
    assert (found.url, found.secret) == (twilio, basic("AC1", "auth"))
    (other,) = requests(sms.fetch(wanted("https://elsewhere.example/a")))
    assert other.secret == {}
    (unset,) = requests(sms.fetch(wanted("https://messaging.bandwidth.com/api/v2/a")))
    assert unset.secret == {}


def test_a_recording_is_asked_for_with_the_token_that_signs_reports() -> None:
    """An account whose SID nobody told is asked without."""
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"
    (found,) = requests(SOURCES["twilio_voice"].fetch(wanted(url)))
    assert found == FileRequest(url, {"authorization": "Basic QUMxOmF1dGg="})
    nameless = WantedFile(url, Account(queue="hotline"), {"signing": "auth"})
    (asked,) = requests(SOURCES["twilio_voice"].fetch(nameless))
    assert asked.secret == {}


def test_an_exchange_gives_its_recordings_by_name() -> None:
    """Where the account says where it stands; what lies in its file system is not given out."""
    (found,) = requests(asterisk.fetch(wanted("vm/a b", "http://pbx.shop.example:8088/ari")))
    assert found.url == "http://pbx.shop.example:8088/ari/recordings/stored/vm/a%20b/file"
    assert found.secret == basic("tellonce", "p")
    paths = ("/var/spool/a.wav", "x/../../a", "./a")
    for unreachable in (wanted("a"), *(wanted(each, "http://pbx.shop.example") for each in paths)):
        with pytest.raises(Unfetchable, match="not_given_out"):
            next(asterisk.fetch(unreachable))


@pytest.mark.parametrize("name", ["messenger", "viber"])
def test_an_address_in_the_message_is_asked_alone(name: str) -> None:
    """It is signed, and needs no secret."""
    (found,) = requests(SOURCES[name].fetch(wanted("https://cdn.example/a")))
    assert found == FileRequest("https://cdn.example/a")


def test_a_missing_secret_may_come() -> None:
    """An operator puts it into the secrets: until then the file waits."""
    with pytest.raises(Unfetchable) as refusal:
        next(telegram.fetch(WantedFile("a", Account(queue="hotline"), {})))
    assert (refusal.value.reason, refusal.value.passing) == ("no_secret", True)


def test_nobody_is_asked_for_what_a_delivery_holds() -> None:
    """A mail's file without its bytes is nowhere else."""
    with pytest.raises(Unfetchable, match="not_told"):
        next(SOURCES["email"].fetch(wanted("a")))
    assert list(SOURCES["email"].contents(raw("email", mail_of(PHOTO)))) == [PHOTO]
    assert list(SOURCES["telegram"].contents(raw("form", b"{}"))) == []


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("api.shop.example", True),
        ("A.CDN.example.", True),
        ("a.b.cdn.example", True),
        ("cdn.example", False),
        ("evil-cdn.example", False),
        ("api.shop.example.evil.example", False),
        ("", False),
    ],
)
def test_only_hosts_of_the_table_are_called(host: str, named: bool) -> None:
    """A name, or all names below one."""
    assert fetching.is_named(host, ["api.shop.example", "*.cdn.example"]) is named


@pytest.mark.parametrize(
    "inside",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),  # noqa: S104  refused, not bound
        *(
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "::127.0.0.1",
            "fec0::1",
            "3fff::1",
        ),
    ],
)
def test_no_address_inside_a_network_is_called(inside: str) -> None:
    """In whatever form it is written; but for networks that an operator named."""
    assert not fetching.may_be_called(ip_address(inside), [], encrypted=True)
    own = [ip_network("127.0.0.0/8"), ip_network("10.0.0.0/8")]
    assert fetching.may_be_called(ip_address("10.1.2.3"), own, encrypted=False)


def test_a_public_address_is_called_by_tls_alone() -> None:
    """What is sent there may hold a secret."""
    for public in ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"):
        assert fetching.may_be_called(ip_address(public), [], encrypted=True)
        assert not fetching.may_be_called(ip_address(public), [], encrypted=False)


@pytest.mark.parametrize(
    ("declared", "answered", "kept"),
    [
        ("image/jpeg", "application/octet-stream", "image/jpeg"),
        ("Image/JPEG", "", "image/jpeg"),
        ("application/octet-stream", "audio/ogg", "audio/ogg"),
        ("image", "image/png", "image/png"),
        ("image/*", "", "application/octet-stream"),
        ("text/html", "text/html", "text/html"),
        ("a/b\r\nset-cookie: x", "", "application/octet-stream"),
    ],
)
def test_the_declared_type_is_kept_where_it_is_one(declared: str, answered: str, kept: str) -> None:
    """A provider's file server often knows less than its message said."""
    assert fetching.media_type_of(declared, answered) == kept


@pytest.mark.parametrize(
    ("name", "media_type", "kept"),
    [
        ("lamp.jpg", "image/jpeg", True),
        ("Lamp.EXE", "image/jpeg", False),
        ("lamp.exe. ", "image/jpeg", False),
        (None, "application/x-msdownload", False),
        ("lamp.exe.txt", "text/plain", True),
    ],
)
def test_programs_are_not_kept(name: str | None, media_type: str, kept: bool) -> None:
    """By what they are called and by what they are said to be."""
    file = AttachedFile(name=name, media_type=media_type)
    refused = ["*.exe", "application/x-msdownload"]
    if kept:
        fetching.check_kind(file, media_type, refused)
    else:
        with pytest.raises(Unfetchable, match="kind_refused"):
            fetching.check_kind(file, media_type, refused)


def test_an_exchanges_own_files_are_asked_for_beside_it() -> None:
    """MixMonitor's by the account's web server, with its secrets where it has some; ARI's by the account's `ari`."""
    path = "/var/spool/asterisk/monitor/2026/a b.wav"
    rules = Account(queue="hotline", ari="https://pbx.example", recordings="https://pbx.example/m/")
    secrets = {"recordings_user": "r", "recordings_password": "s"}
    (open_to_all,) = requests(asterisk.fetch(WantedFile(path, rules, SECRETS)))
    (allowed,) = requests(asterisk.fetch(WantedFile(path, rules, secrets)))
    (elsewhere,) = requests(asterisk.fetch(WantedFile("/calls/x.wav", rules, SECRETS)))
    (stored,) = requests(asterisk.fetch(WantedFile("call-7", rules, SECRETS)))
    assert (open_to_all.url, open_to_all.secret) == ("https://pbx.example/m/2026/a%20b.wav", {})
    assert allowed.secret == basic("r", "s")
    assert elsewhere.url == "https://pbx.example/m/calls/x.wav"
    assert stored.url == "https://pbx.example:8089/ari/recordings/stored/call-7/file"
    assert stored.secret == basic("tellonce", "p")
    assert fetching.own_hosts(rules) == ["pbx.example", "pbx.example"]
    for source in ("/var/spool/asterisk/monitor/../../etc/passwd", "/a//b.wav"):
        with pytest.raises(Unfetchable, match="not_given_out"):
            next(asterisk.fetch(WantedFile(source, rules, SECRETS)))

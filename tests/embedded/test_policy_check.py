"""`tellonce policy check`: everything that is wrong with a policy at once, each where it stands, in words."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from deploy.policy.checking import check, check_text
from shared.errors import PolicyInvalid
from shared.policy import parse
from tests.support.policies import EMBEDDED, every_policy, mutations

Tool = Callable[..., tuple[int, str, str]]

WRONG = """\
tenant: Demo Shop
region: NO
queues:
  hotline: {title: Hotline, slots: 3}
  night: {title:Night}
agents:
  piotr: {name: Piotr, queues: hotline, slot: 3}
  ewa: {name: Ewa, queues: [hotline], slots: 0}
  ewa: {name: 1.10, queues: []}
accounts:
  twilio_voice/hotline:
    queue: hotline
    address: +48123456789
    menu: {1: {fact: menu_choice}}
times: {offer_seconds: 10:00}
patterns:
  - {fact: order, pattern: "\\bORD"}
  - {fact: order}
calendars: {shop: {zone: UTC, open: {mon: ["08:00-23:59"]}}}
"""
NAME = "a name is of a-z, 0-9, _ and -, at most 32"
COMPLAINTS = f"""\
1:9: tenant: {NAME}
2:9: region: expected a text or nothing, got true or false; `NO` is read as false: put it in quotes
4:29: queues.hotline.slots: `slots` is not known here; it stands in agents.<name>
5:10: queues.night: `title` is missing
5:11: queues.night.title:Night: `title:Night` is not known here; a space is missing after the colon of `title:`
7:32: agents.piotr.queues: expected a list, got a text
7:41: agents.piotr.slot: `slot` is not known here; did you mean `slots`?
9:3: ewa: it stands twice
9:15: agents.ewa.name: expected a text, got a number; `1.10` is read as the number 1.1: put it in quotes
13:14: accounts.twilio_voice/hotline.address: expected a text or nothing, got a whole number; \
`+48123456789` is read as the number 48123456789: put it in quotes
14:12: accounts.twilio_voice/hotline.menu.1: expected a text, got a whole number; \
`1` is read as the number 1: put it in quotes
15:24: warning: times.offer_seconds: `10:00` is read as the number 600: write that
17:28: warning: patterns[0].pattern: in double quotes `\\b` is a backspace: put a pattern in single quotes
18:5: patterns[1]: `pattern` is missing
19:44: warning: calendars.shop.open.mon[0]: `08:00-23:59` is closed in the minute before midnight: a day ends at 24:00
"""


def test_everything_is_told_at_once_where_it_stands(run: Tool, tmp_path: Path) -> None:
    """Slips, what YAML reads otherwise than it looks, keys that stand twice: each with its line and column."""
    path = tmp_path / "shop.yaml"
    path.write_text(WRONG)
    code, out, _ = run("policy", "check", str(path))
    assert (code, out) == (1, "".join(f"{path}:{each}\n" for each in COMPLAINTS.splitlines()))


def changed(before: str, after: str) -> bytes:
    text = EMBEDDED.decode()
    assert before in text
    return text.replace(before, after).encode()


@pytest.mark.parametrize(
    ("before", "after", "line_has", "path"),
    [
        ("queues: [warehouse]", "queues: [warehouse, zoo]", "marek:", "agents.marek.queues[1]"),
        ("supervisor: ewa", "supervisor: eva", "Branch", "queues.branch-krakow.supervisor"),
        ("delivery: warehouse", "delivery: zoo", "zoo", "accounts.form/contact.topics.delivery"),
        ("region: PL", "region: UK", "UK", "region"),
        (r"'\b(\d{24})\b'", "'(here'", "parcel", "patterns[1].pattern"),
        (
            "queries: [announcements",
            "queries: [announcement",
            "shop:",
            "integrations.shop.queries[0]",
        ),
    ],
)
def test_what_contradicts_itself_is_told_where_it_is_named(
    before: str, after: str, line_has: str, path: str, tmp_path: Path
) -> None:
    """Names that lead nowhere, and patterns that are none."""
    file, content = tmp_path / "shop.yaml", changed(before, after)
    file.write_bytes(content)
    [found] = check(file)["shop.yaml"]
    assert found.path == path
    assert line_has in content.decode().splitlines()[found.line - 1]


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("calendar: nope", "calendar"),
        ("calendars: {s: {zone: Mars/X, open: {mon: ['08:00-10:00']}}}", "calendars.s.zone"),
        ("calendars: {s: {open: {mon: []}}}", "calendars.s.open"),
        ("times: {wait_seconds: [60, 46]}", "times.wait_seconds"),
        ("service_levels: [{name: a, queues: [zoo]}]", "service_levels[0].queues[0]"),
        ("overload: {live: {limits: [60, 10]}}", "overload.live.limits"),
        ("rules: [{name: r, event: message.zoo, do: {label: [a]}}]", "rules[0].event"),
        (
            "rules: [{name: r, event: form.submitted, when: {zoo: 1}, do: {label: [a]}}]",
            "rules[0].when.zoo",
        ),
        (
            "rules: [{name: q, event: sla.met, do: {}}, {name: r, event: sla.met, do: {notify: agent-zoo}}]",
            "rules[1].do.notify",
        ),
        ("rules: [{name: r, event: sla.met, do: {message: {pl: hej}}}]", "rules[0].do.message"),
        ("out_of_hours: {texts: {pl: hej}}", "out_of_hours.texts.pl"),
        ("out_of_hours: {texts: {pl: '{answer_by}'}, by: email/zoo}", "out_of_hours.by"),
        ("never_identifies: ['(a+)+b']", "never_identifies[0]"),
    ],
)
def test_each_contradiction_has_a_place(more: str, path: str) -> None:
    """Also where the word that is wrong stands nowhere else, and in a list whose members have names."""
    policy = f"queues: {{q: {{title: Q}}}}\nagents: {{ewa: {{name: E, queues: [q]}}}}\naccounts: {{}}\n{more}\n"
    assert [each.path for each in check_text(f"tenant: t\n{policy}".encode())] == [path]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "nothing stands in it"),
        (b"tenant: [demo", "no YAML: while parsing a flow sequence"),
        (b"tenant:\tdemo\n\tqueues: {}", "no YAML: while scanning"),
        (b"tenant: &a [*a]", "holds itself"),
        (b"tenant: " + b"[" * 900 + b"]" * 900, "nested too deeply"),
        (b"- demo", "expected a mapping, got a list"),
        (b"[a]: 1", "`tenant` is missing"),
    ],
    ids=["empty", "open", "tab", "itself", "deep", "list", "key"],
)
def test_what_is_no_policy_at_all_is_told(content: bytes, said: str) -> None:
    """Whatever stands in the file, there is an answer."""
    assert said in " ".join(each.text for each in check_text(content))


@pytest.mark.parametrize("content", [pytest.param(each, id=name) for name, each in every_policy()])
def test_a_good_policy_has_nothing_said_of_it(content: bytes) -> None:
    """None of the repository's."""
    assert check_text(content) == []


@settings(max_examples=100)
@given(mutations())
def test_it_complains_where_the_stack_would_refuse_and_nowhere_else(policy: Any) -> None:
    """Whatever was changed in a policy: what passes here is taken, and what does not is not."""
    content = yaml.safe_dump(policy, allow_unicode=True).encode()
    try:
        parse(content)
    except PolicyInvalid:
        taken = False
    else:
        taken = True
    assert any(each.refused for each in check_text(content)) != taken


def test_the_files_of_a_folder_are_checked_against_each_other(run: Tool, tmp_path: Path) -> None:
    """Two of one tenant are told; a good one beside a bad one is good."""
    (tmp_path / "a.yaml").write_bytes(EMBEDDED)
    (tmp_path / "b.yaml").write_bytes(changed("tenant: demo", "tenant: other"))
    code, out, _ = run("policy", "check", str(tmp_path))
    told = dict(line.split(": ", 1) for line in out.splitlines())
    assert (code, told[f"{tmp_path}/a.yaml"]) == (1, "good")
    assert "lookup_secret is that of a.yaml" in out
    assert run("policy", "check", str(tmp_path / "a.yaml"))[0] == 0
    assert run("policy", "check", str(tmp_path / "nowhere"))[0] == 2

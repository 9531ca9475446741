"""Tells a reader what happens: each step in a line, each packet as a card, the findings at the end."""

import json
import sys
from typing import Any

from deploy.story.checks.handed_over import HandedOver
from deploy.story.file import model
from deploy.story.telling.report import Balance, Report

VERB_OF_CARD = {
    "offered": "is offered the conversation and sees",
    "accepted": "accepts and sees",
    "assigned": "is given the conversation by a supervisor and sees",
    "switched": "sees, as the customer changes the channel",
    "called_back": "reaches the customer and sees",
    "reopened": "opens the conversation again and sees",
}
SHORT_ID_CHARACTERS = 8
WIDTH_CHARACTERS = 100


def say(line: str = "") -> None:
    print(line, flush=True)


def complain(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def describe(step: model.Step) -> str:
    """Return a step in a few words."""
    match step:
        case model.Expect():
            return f"expect {step.expect}{_of_what(step)}"
        case model.DoorStep():
            several = f" ({step.times} times)" if step.times > 1 else ""
            unsigned = "" if step.sign is True else f" (signature: {step.sign or 'none'})".lower()
            return f"door {step.door}{several}{unsigned}"
        case model.ReceiptStep():
            several = f" ({step.times} times)" if step.times > 1 else ""
            return f"{step.receipt} reports: {step.says}{several}"
        case model.CommandStep():
            return f"{step.as_}: {step.do}" + (f" ({step.times} times)" if step.times > 1 else "")
        case model.AskStep():
            return f"ask {step.ask}"
        case model.GetStep():
            return f"get {step.get}"
        case model.ImportStep():
            several = f" ({step.times} times)" if step.times > 1 else ""
            return f"import the history of {step.import_}{several}"
        case model.AsOfStep():
            return f"what did {step.as_of} see when accepting?"
        case model.TogetherStep():
            return f"{len(step.together)} things at once"
        case _:
            return _describe_machines(step)


def _describe_machines(step: model.Step) -> str:
    match step:
        case model.KillStep():
            return f"kill -9 {step.kill}"
        case model.RestartStep():
            return f"stop everything, wait {step.while_}, start again"
        case model.TamperStep():
            mail = step.tamper == model.MAIL
            return "the last mail again" if mail else f"change one row of {step.tamper} by hand"
        case _:
            return "step"


def _of_what(wanted: model.Expect) -> str:
    found = [getattr(wanted, name, None) or "" for name in ("by", "to", "code", "state", "is_")]
    words = [" or ".join(each) if isinstance(each, list) else str(each) for each in found]
    return "".join(f" {word}" for word in words if word)


def tell_step(n: str, step: model.Step, ended: str) -> None:
    """Print a step and how it ended; the story's own words first."""
    if step.note:
        say()
        for line in step.note.strip().splitlines():
            say(f"  {line.strip()}")
    say(f"  {n:>4}  {describe(step):<62} {ended}")


def tell_difference(sentence: str, wanted: Any, got: Any) -> None:
    """Print what was wanted and what was found."""
    if sentence:
        say(f"        {sentence}")
    say(f"        wanted: {_json(wanted)}")
    say(f"        got:    {_json(got)}")


def tell_packet(person: str, handed: HandedOver) -> None:
    """Print a packet as a card that a newcomer can read."""
    packet = handed.packet.packet
    size, sha256 = len(handed.packet.content), handed.packet.sha256[:SHORT_ID_CHARACTERS]
    head = f"{person} {VERB_OF_CARD[handed.how]}"
    say(f"        ┌ {head} (packet {handed.packet.packet_id[:8]}, {size} bytes, sha256 {sha256}…)")
    for line in _card(packet):
        say(f"        │ {line}"[: WIDTH_CHARACTERS + 30])
    say("        └")


def _card(packet: dict[str, Any]) -> list[str]:
    who, path = packet["who"], packet["path"]
    name = who["name"] or "an unknown customer"
    called = f', "{who["salutation"]}"' if who["salutation"] else ""
    known = ", ".join(f"{each['value']} ({each['proof']})" for each in who["identities"])
    orders = ", ".join(f"{each['number']} ({each['status']})" for each in packet["why"]["orders"])
    facts = [f"  {each['name']} = {each['value']}{_source(each)}" for each in packet["facts"]]
    promises = [
        f"  {each['text']} (by {each['by']}, due {each['due'][:16]})"
        for each in packet["open"]["promises"]
    ]
    done = [
        f"  {each['what'].replace('_', ' ')}: {each['text'] or '-'} (by {each['by']})"
        for each in packet["done"]
    ]
    hops = [
        f"  {each['sender']} -> {each['to']} ({each['kind']}): {each['brief']}"
        for each in path["hops"]
    ]
    lines = [
        f"{name}{called}, language {who['language'] or 'unknown'}",
        f"known by: {known or '-'}",
    ]
    lines += [_possible(each) for each in who["possibly"]]
    lines += [f"orders: {orders}"] if orders else []
    lines += [f"in her words: {packet['why']['matter']}"] if packet["why"]["matter"] else []
    after = packet["why"]["after"]
    lines += [f"comes back to: {after['matter']}"] if after and after["matter"] else []
    lines += ["facts:", *facts] if facts else ["facts: none yet"]
    lines += ["promised:", *promises] if promises else []
    lines += ["done:", *done] if done else []
    lines += ["handed over:", *hops] if hops else []
    lines += [
        f"{each['kind']}: {' '.join([each['text'], *each['codes']])}"
        for each in packet["around"]["announcements"]
    ]
    lines += _visited(packet["around"]["visit"])
    return lines + (["she is on hold"] if path["on_hold"] else [])


def _visited(visit: dict[str, Any] | None) -> list[str]:
    """Return what was done on the shop's pages, and whether it is only claimed that it was she."""
    if visit is None:
        return []
    possibly = "possibly she " if visit["proof"] == "claimed" else ""
    pages = ", ".join(each["title"] or each["url"] for each in visit["pages"])
    campaign = ", ".join(f"{name} {value}" for name, value in visit["campaign"])
    found = (("looked at", pages), ("in the cart", ", ".join(visit["cart"])), ("came by", campaign))
    shown = [f"  {label}: {words}" for label, words in found if words]
    return [f"on the pages, {possibly}until {visit['ended'][:16]}:", *shown]


def _possible(possible: dict[str, Any]) -> str:
    name, why = possible["name"] or "a customer", possible["reason"].replace("_", " ")
    return f"possibly: {name}, because of {possible['value']} ({why})"


def _source(fact: dict[str, Any]) -> str:
    told = f", told to {fact['told_to']}" if fact["told_to"] else ""
    return f"  ({fact['origin']}{told})"


def tell_end(report: Report, played_seconds: float) -> None:
    """Print the findings of a story."""
    short = SHORT_ID_CHARACTERS
    missing = sorted({name for packet in report.packets for name in packet.missing})
    say()
    say(f"  Facts stated: {report.facts.stated}")
    for packet in report.packets:
        lacks = f"  MISSING {', '.join(packet.missing)}" if packet.missing else ""
        say(f"    packet {packet.packet_id[:short]} to {packet.to:<8} {packet.facts} facts{lacks}")
    for mail in report.mails:
        say(f"  Mail to {', '.join(mail.to)}: {mail.title} ({mail.count})")
    for message in report.arrived:
        say(f"  Message by {message.by} to {message.to} ({message.count})")
    say(f"  Missing: {', '.join(missing) or 'none'}")
    say(f"  Times a customer had to repeat something: {report.repeats}")
    live, rebuilt = report.digests.live or "-", report.digests.rebuilt or "-"
    same = "the same" if live == rebuilt else "NOT THE SAME"
    say(f"  Digest live {live[:short]}…, rebuilt from the ledger {rebuilt[:short]}…: {same}")
    balance = report.balance
    say(
        f"  Deliveries: {balance.received} received = {balance.accepted} accepted"
        f" + {balance.duplicate} duplicate + {balance.ignored} ignored"
        f" + {balance.quarantined} quarantined{_set_aside(balance)}"
    )
    verdict = "all met" if report.ok else f"FAILED: {', '.join(report.codes)}"
    say(f"  {report.story}: {verdict} ({played_seconds:.1f} s)")


def _set_aside(balance: Balance) -> str:
    """Return what is told of deliveries that could not be decided; nothing where there are none."""
    if not balance.parked and not balance.skipped:
        return ""
    return f" + {balance.parked} parked + {balance.skipped} skipped"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)

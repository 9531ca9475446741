"""The shop that is simulated: its policy, its twelve agents in shifts, and how its people behave."""

from dataclasses import dataclass
from datetime import timedelta

import yaml

from shared import policy
from shared.policy import Policy
from tests.load.day import Way

HOTLINE, PARCELS, EXPERTS = "hotline", "parcels", "experts"
SHOP, OFFICE = "shop", "office"
EARLY, LATE = (8, 16), (12, 20)
"""From which hour until which, where the shop is."""
ZONE = "Europe/Warsaw"
WAYS: dict[Way, float] = {"chat": 0.40, "mail": 0.35, "phone": 0.15, "social": 0.10}
"""What part of the contacts comes by which way."""

POLICY = """
tenant: demo
region: PL
calendars:
  shop: {zone: Europe/Warsaw, open: {mon-sun: ["08:00-20:00"]}, holidays: PL}
  office: {zone: Europe/Warsaw, open: {mon-fri: ["08:00-16:00"]}, holidays: PL}
calendar: shop
queues:
  hotline:
    title: Hotline
    supervisor: a00
    skills: {talk: 2}
    sticky_seconds: 20
    relaxes:
      - {after_seconds: 45, level: 1}
      - {after_seconds: 90, level: 0, any_language: true}
      - {after_seconds: 150, overflow: parcels}
    next_line:
      queue: experts
      within_seconds: 900
      texts: {pl: "{line} odpowie do {by}.", en: "The {line} answers by {by}."}
  parcels:
    title: Parcels
    supervisor: a06
    skills: {parcels: 2}
    priority_seconds: 20
    relaxes:
      - {after_seconds: 60, level: 1, any_language: true}
      - {after_seconds: 120, level: 0, overflow: hotline}
    next_line: {queue: experts, within_seconds: 600}
  experts: {title: Experts, supervisor: a10, calendar: office}
accounts:
  twilio_voice/hotline:
    queue: hotline
    secrets: {signing: S}
    address: "+48123456789"
    priority_seconds: 60
    menu:
      "1": {fact: menu_choice, value: an order}
      "2": {fact: menu_choice, value: a parcel, queue: parcels, skills: {parcels: 1}}
  chat/shop: {queue: hotline, secrets: {signing: S}, address: shop, reaches: account, language: pl}
  email/shop: {queue: hotline, secrets: {signing: S}, address: help@shop.example, title: Your request}
  dove/shop: {queue: parcels, address: tower, reaches: account}
patterns:
  - {fact: order_number, pattern: '\\b(ORD-\\d{4,12})\\b', joins: true}
  - fact: parcel_number
    pattern: '(\\b\\d{2}(?:[ -]?\\d){22}\\b)'
    joins: true
    compare: digits
    asks: 'parcel number'
never_identifies: ['^\\+?(anonymous|restricted|266696687)$']
service_levels:
  - {name: at_once, media: [chat, message], first_response_seconds: 900, next_response_seconds: 900}
  - {name: within_the_hour, first_response_seconds: 3600, next_response_seconds: 3600}
  - {name: ends, resolution_seconds: 28800}
out_of_hours:
  texts: {pl: "Odpowiemy do {answer_by}.", en: "We are back at {opens}. A person answers by {answer_by}."}
wait_offer:
  texts: {pl: "Prosimy zostawić pytanie.", en: "You need not stay: we answer you here."}
labels: [late_parcel, lost, social, complaint]
dispositions: {solved: {}, follow_up: {next_step: true}}
reviews: {percent: 5, criteria: [tone, answer]}
rules:
  - {name: parcels, event: fact.stated, when: {name: parcel_number}, do: {label: [late_parcel]}}
  - {name: lost, event: contact.abandoned, do: {label: [lost], notify: queue-hotline}}
  - name: social
    event: message.received
    when: {channel: dove}
    do: {label: [social], message: {pl: "Już patrzymy.", en: "We have a look."}}
times: {offer_seconds: 30, transfer_seconds: 120, callback_seconds: 900, join_within_seconds: 3600}
"""

SKILLS = (
    {"talk": 4, "parcels": 1},
    {"talk": 3},
    {"talk": 1, "parcels": 2},
    {"talk": 5, "parcels": 3},
    {"talk": 2},
    {"talk": 2, "parcels": 1},
)
LANGUAGES: tuple[list[str], ...] = (
    ["pl", "en"],
    ["pl"],
    [],
    ["pl", "de"],
    ["en", "de"],
    ["pl", "en"],
)


@dataclass(frozen=True, slots=True)
class Worker:
    """An agent: where she works, when, and on which days of the week she is free (Monday is 0)."""

    name: str
    queue: str
    shift: tuple[int, int]
    free: tuple[int, int]

    def works(self, weekday: int) -> bool:
        """Tell whether she works on a day of the week."""
        return weekday not in self.free


def workers() -> list[Worker]:
    """Return twelve: six of the hotline and four for parcels, half of them early; two experts on weekdays."""
    found = []
    for number in range(12):
        queue = HOTLINE if number < 6 else PARCELS if number < 10 else EXPERTS
        shift = EARLY if number % 2 or queue == EXPERTS else LATE
        first = number % 7 if number < 6 else 0 if number < 8 else 3 if number < 10 else 5
        found.append(Worker(f"a{number:02}", queue, shift, (first, (first + 1) % 7)))
    return found


def the_policy(everybody: list[Worker]) -> Policy:
    """Return the shop's policy with these agents."""
    stated = yaml.safe_load(POLICY)
    stated["agents"] = {
        each.name: {
            "name": each.name.title(),
            "queues": [each.queue],
            "teams": [each.queue],
            "slots": 4,
            "slots_by_medium": {"call": 1, "chat": 2},
            "skills": SKILLS[number % len(SKILLS)]
            if each.queue != PARCELS
            else {"parcels": 2, "talk": 1},
            "languages": LANGUAGES[number % len(LANGUAGES)],
        }
        for number, each in enumerate(everybody)
    }
    return policy.parse(yaml.safe_dump(stated).encode())


@dataclass(frozen=True, slots=True)
class Habits:
    """How people behave: means of times, and parts of all. Assumptions, chosen so that every way through is taken."""

    patience: timedelta = timedelta(seconds=180)
    talk: timedelta = timedelta(seconds=540)
    speaking: timedelta = timedelta(seconds=240)
    writing: timedelta = timedelta(seconds=420)
    answering: timedelta = timedelta(seconds=6)
    writes_again: float = 0.25
    replies: float = 0.2
    missed: float = 0.03
    withheld: float = 0.08
    leaves_a_voicemail: float = 0.5
    registered: int = 3
    vip: int = 15
    has_a_cart: int = 5
    refuses: float = 0.04
    ignores: float = 0.04
    transfers: float = 0.10
    escalates: float = 0.03
    snoozes: float = 0.05
    promises: float = 0.15
    asks_again: float = 0.1
    waits_for_her: float = 0.2
    reopens: float = 0.03
    pauses: float = 0.02
    told_twice: float = 0.10

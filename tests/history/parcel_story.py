"""A small real story in events: Anna calls, Piotr takes it, hands it to Ewa with a packet; one call is missed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from shared import conversation as conversations
from shared import customer as customers
from shared.events import AnyEvent, PacketId, Target
from shared.packet import package, sha256_of
from tests.history.handwritten_ledger import HandwrittenLedger

CONVERSATION = "matter1"
CUSTOMER = "anna"
MISSED = "matter2"
CONV, CUST, NOTIF = f"conv-{CONVERSATION}", f"cust-{CUSTOMER}", f"notif-{CONVERSATION}"
PHONE = "+48601234567"
NUL_TEXT = "locker\x00KRA01M"


@dataclass
class ParcelStory:
    """The story step by step; `at` remembers the ledger position after a step."""

    handwritten: HandwrittenLedger
    at: dict[str, int] = field(default_factory=dict)
    packets: int = 0

    async def play(self) -> None:
        """Everything, in order."""
        await self.register()
        await self.call()
        await self.offer_and_accept()
        await self.tell_facts()
        await self.hand_to_ewa()
        await self.review()
        await self.ask_how_it_was()
        await self.promise_and_write()
        await self.tell_the_desk()
        await self.park_a_call()
        await self.miss_a_call()

    def _conv(self, name: str, open_part: Mapping[str, Any], personal: Any = None) -> AnyEvent:
        return self.handwritten.event(
            CONV, name, open_part, personal, conversation=CONVERSATION, customer=CUSTOMER
        )

    async def conv(self, *parts: tuple[Any, ...]) -> int:
        """Append events to the conversation: (type, open part[, personal part])."""
        events = [self._conv(*part) for part in parts]
        return (await self.handwritten.write(CONV, *events)).position

    async def long_mails(self) -> str:
        """Eight mails, of which a page holds but some; return what each says."""
        text = "x" * 190_000
        for number in range(8):
            message = {"message_id": f"long{number}", "channel": "email", "account": "shop"}
            body = {"to": "anna@example.org", "title": None, "text": text}
            await self.conv(("message.requested", {**message, "agent": "ewa"}, body))
        return text

    async def register(self) -> None:
        handles = [("phone", PHONE, True), ("email", "anna@example.org", True)]
        created = self.handwritten.event(
            CUST,
            "customer.created",
            {"provisional": False, "language": "pl"},
            {"name": "Anna", "salutation": "pani", "handles": handles},
            customer=CUSTOMER,
        )
        order = self.handwritten.event(
            CUST, "order.changed", {"status": "open"}, {"number": "ORD-1001"}, customer=CUSTOMER
        )
        self.at["registered"] = (await self.handwritten.write(CUST, created, order)).position

    async def call(self) -> None:
        started = self.handwritten.event(
            CONV,
            "call.started",
            contact("call1"),
            {"handles": []},
            conversation=CONVERSATION,
            customer=CUSTOMER,
            raw="7:" + "a" * 64,
            id_="startedcall1",
        )
        opened = {
            "contact_id": "call1",
            "channel": "twilio_voice",
            "account": "hotline",
        }
        policy = {"rule": "join.none_open", "policy_version": "policy-1"}
        queued = {"contact_id": "call1", "queue": "hotline", "rule": "entry", "policy_version": "p"}
        events = [
            started,
            self._conv("conversation.opened", {**opened, **policy}),
            self._conv("contact.queued", queued),
        ]
        written = await self.handwritten.write(CONV, *events)
        self.queued_id = events[-1].id
        self.at["queued"] = written.position
        attached = {"conversation": CONVERSATION, "contact_id": "call1", "opened": True}
        await self.handwritten.write(
            CUST, self.handwritten.event(CUST, "conversation.attached", attached, customer=CUSTOMER)
        )
        await self.notify("n1", "new_request", "queue-hotline", self.queued_id)

    async def notify(self, name: str, reason: str, recipient: str, about: str) -> None:
        wanted = {
            "notification_id": name,
            "reason": reason,
            "recipient": recipient,
            "about": about,
            "transports": ["screen"],
            "escalates": self.handwritten.now + timedelta(minutes=2),
        }
        await self.note("notification.requested", wanted)
        await self.note("notification.sent", {"notification_id": name, "transport": "screen"})

    async def note(self, name: str, open_part: Mapping[str, Any]) -> None:
        event = self.handwritten.event(NOTIF, name, open_part, conversation=CONVERSATION)
        await self.handwritten.write(NOTIF, event)

    async def package(self) -> tuple[str, tuple[Any, ...]]:
        """Return the id and the parts of a packet of the conversation as it stands in the ledger."""
        self.packets += 1
        packet_id = f"packet{self.packets}"
        read = self.handwritten.ledger.read
        matter = conversations.fold(
            (each.sequence, each.event) for each in await read(self.handwritten.tenant, CONV)
        )
        person = customers.fold(
            (each.sequence, each.event) for each in await read(self.handwritten.tenant, CUST)
        )
        packet = package(matter, person, packet_id=PacketId(packet_id), policy_version="policy-7")
        opened = {
            "packet_id": packet_id,
            "sha256": sha256_of(packet),
            "facts": len(packet.facts),
            "more": 0,
        }
        return packet_id, ("context.packaged", opened, {"packet": packet})

    async def offer_and_accept(self) -> None:
        packet_id, packaged = await self.package()
        offer = {
            "offer_id": "offer1",
            "contact_id": "call1",
            "queue": "hotline",
            "agent": "piotr",
            "packet_id": packet_id,
            "expires": self.handwritten.now + timedelta(seconds=30),
            "rule": "longest_idle",
            "policy_version": "policy-7",
        }
        self.at["offered"] = await self.conv(packaged, ("contact.offered", offer))
        accept = {key: offer[key] for key in ("offer_id", "contact_id", "agent", "packet_id")}
        self.at["accepted"] = await self.conv(("contact.accepted", accept))
        acknowledged = {"notification_id": "n1", "by": "piotr", "through": "acceptance"}
        await self.note("notification.acknowledged", acknowledged)

    async def tell_facts(self) -> None:
        for name, value in (("locker", NUL_TEXT), ("parcel_number", "6" * 24)):
            await self.conv(("fact.stated", fact(name), {"value": value}))
        corrected = {"fact_id": "f-locker", "name": "locker", **ON_CALL}
        self.at["told"] = await self.conv(("fact.corrected", corrected, {"value": "KRA01M"}))

    async def hand_to_ewa(self) -> None:
        packet_id, packaged = await self.package()
        transfer = {
            "transfer_id": "transfer1",
            "kind": "warm",
            "sender": "piotr",
            "to": Target(queue="branch-krakow"),
            "packet_id": packet_id,
            "expires": self.handwritten.now + timedelta(minutes=2),
        }
        requested = ("transfer.requested", transfer, {"brief": "the locker does not open"})
        self.at["requested"] = await self.conv(packaged, requested)
        offered = {
            "offer_id": "offer2",
            "transfer_id": "transfer1",
            "agent": "ewa",
            "packet_id": packet_id,
            "expires": self.handwritten.now + timedelta(seconds=30),
            "rule": "longest_idle",
            "policy_version": "policy-7",
        }
        self.at["transfer_offered"] = await self.conv(("transfer.offered", offered))
        accepted = {"transfer_id": "transfer1", "kind": "warm", "sender": "piotr", "agent": "ewa"}
        self.at["ewa"] = await self.conv(
            ("transfer.accepted", {**accepted, "packet_id": packet_id})
        )

    async def review(self) -> None:
        """Two contacts of Piotr's are looked at, and one is scored."""
        for name in ("review1", "review2"):
            sampled = {
                "review_id": name,
                "contact_id": f"{name}-contact",
                "agent": "piotr",
                "queue": "hotline",
                "percent": 5,
                "rule": "review.percent",
                "policy_version": "p",
            }
            await self.conv(("review.sampled", sampled))
        scored = {
            "review_id": "review1",
            "contact_id": "review1-contact",
            "agent": "piotr",
            "by": "ewa",
            "card": {"greeting": 100, "solution": 60},
        }
        await self.conv(("review.scored", scored, {"finding": "kind, and no time named"}))

    async def ask_how_it_was(self) -> None:
        """Anna is asked about her call, and says two."""
        about = {
            "contact_id": ON_CALL["contact_id"],
            "message_id": "howwasit",
            "channel": "chat",
            "agent": "piotr",
            "queue": "hotline",
        }
        until = self.handwritten.now + timedelta(days=3)
        asked = {**about, "account": "shop", "until": until, "rule": "feedback"}
        await self.conv(("feedback.asked", {**asked, "policy_version": "p"}))
        given = {**about, "event": "twowritten", "score": 2, "low": True, "policy_version": "p"}
        await self.conv(("feedback.given", given, {"text": "2\x00"}))

    async def promise_and_write(self) -> None:
        due = self.handwritten.now + timedelta(hours=2)
        promised = {"promise_id": "promise1", "agent": "ewa", "due": due}
        await self.conv(("promise.made", promised, {"text": "an answer\x00today"}))
        repeated = {"fact_id": "f-locker", "name": "locker", **ON_CALL, "hops_since": 1}
        await self.conv(("fact.repeated", repeated))
        await self.wait_for_an_answer()
        message = {"message_id": "m1", "channel": "email", "account": "shop", "agent": "ewa"}
        text = {"to": "anna@example.org", "title": "Your parcel", "text": "Please come by."}
        await self.conv(("message.requested", message, text))
        met = {"clock_id": "clock1", "target": "next_response"}
        await self.conv(("sla.met", {**met, "due": self.handwritten.now + timedelta(hours=1)}))
        self.at["written"] = await self.conv(
            ("promise.kept", {"promise_id": "promise1", "agent": "ewa", "late": False})
        )

    async def wait_for_an_answer(self) -> None:
        started = {
            "clock_id": "clock1",
            "target": "next_response",
            "contact_id": "call1",
            "queue": "hotline",
            "since": self.handwritten.now,
            "seconds": 3_600.0,
            "warn_seconds": 2_880.0,
            "warns": self.handwritten.now + timedelta(minutes=48),
            "due": self.handwritten.now + timedelta(hours=1),
            "rule": "service_level.within_the_hour",
            "policy_version": "policy-7",
        }
        await self.conv(("sla.started", started))

    async def tell_the_desk(self) -> None:
        """An outage and a discount hold, a campaign was withdrawn; the next packet shows the outage."""
        hour = timedelta(hours=1)
        for name, kind, text, codes in (
            ("said1", "campaign", "Three for two", []),
            ("said2", "discount", "A tenth off", ["AUTUMN10", "LOCKER"]),
            ("said3", "outage", "The lockers are down", []),
        ):
            opened = {"announcement_id": name, "kind": kind, "since": self.handwritten.now}
            if kind != "outage":
                opened["until"] = self.handwritten.now + 9_000 * hour
            words = {"text": text, "codes": codes, "about": ["locker", "paczkomat"]}
            await self.note_on("announced-desk", "announcement.made", opened, words)
            self.handwritten.now += hour / 60
        withdrawn = {"announcement_id": "said1"}
        await self.note_on("announced-desk", "announcement.withdrawn", withdrawn)

    async def miss_a_call(self) -> None:
        aggregate = f"conv-{MISSED}"
        lost = {"contact_id": "call2", "callback_id": "callback1", "queue": "hotline"}
        due = {"due": self.handwritten.now + timedelta(minutes=15), "reason": "missed"}
        opened = {
            "contact_id": "call2",
            "channel": "twilio_voice",
            "account": "hotline",
        }
        policy = {"rule": "join.none_open", "policy_version": "policy-1"}
        names: list[tuple[str, Mapping[str, Any], Any]] = [
            ("call.missed", {**contact("call2"), "outcome": "no-answer"}, {"handles": []}),
            ("conversation.opened", {**opened, **policy}, None),
            ("contact.missed", lost, None),
            ("callback.requested", {**lost, **due}, None),
            (
                "callback.attempted",
                {"callback_id": "callback1", "agent": "piotr", "attempt": 1},
                None,
            ),
        ]
        events = [
            self.handwritten.event(aggregate, *each, conversation=MISSED, customer=CUSTOMER)
            for each in names
        ]
        self.at["missed"] = (await self.handwritten.write(aggregate, *events)).position

    async def park_a_call(self) -> None:
        """A call that the router could not decide, and work of notify's that was given up; somebody comes to work."""
        parked = {"sha256": "a" * 64, "error": "KeyError", "failures": 4}
        await self.note_on(
            "chan-twilio_voice-hotline",
            "contact.parked",
            {
                **parked,
                "parked_id": "chan-twilio_voice-hotline:9",
                "stream": "CONTACTS",
                "sequence": 9,
                "event_id": "lost",
                "event_type": "call.started",
            },
        )
        work = "work-notify-ledger"
        place = {"parked_id": f"{work}:3", "stream": "LEDGER", "sequence": 3}
        await self.note_on(work, "work.parked", {**parked, **place})
        skipped = {"parked_id": f"{work}:3", "reason": "too late"}
        self.at["parked"] = await self.note_on(work, "work.skipped", skipped)
        await self.come_to_work()

    async def come_to_work(self) -> None:
        """Marek comes and has something to do at once."""
        await self.note_on("agent-marek", "agent.signed_in", {"agent": "marek"})
        self.handwritten.now += timedelta(minutes=1)
        offered = {"conversation": CONVERSATION, "offer_id": "offer3", "packet_id": "packet3"}
        await self.note_on("agent-marek", "agent.reserved", {"agent": "marek", **offered})

    async def note_on(
        self,
        aggregate: str,
        name: str,
        open_part: Mapping[str, Any],
        personal: Any = None,
        *,
        raw: str | None = None,
    ) -> int:
        """Append one event that is about nobody."""
        event = self.handwritten.event(aggregate, name, open_part, personal, raw=raw)
        return (await self.handwritten.write(aggregate, event)).position

    async def go_on(self) -> None:
        """Ten more events of the same matter."""
        for number in range(10):
            await self.conv(("fact.stated", fact(f"later{number}"), {"value": str(number)}))


ON_CALL: Mapping[str, Any] = {"channel": "twilio_voice", "contact_id": "call1"}


def contact(contact_id: str) -> Mapping[str, Any]:
    return {
        "contact_id": contact_id,
        "medium": "call",
        "channel": "twilio_voice",
        "account": "hotline",
        "provider_id": contact_id,
    }


def fact(name: str) -> Mapping[str, Any]:
    return {"fact_id": f"f-{name}", "name": name, "origin": "agent", **ON_CALL, "told_to": "piotr"}

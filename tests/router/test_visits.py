"""What a customer did on the shop's pages stands in her packet, as it was found when she wrote or called."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.router import visits as looking
from services.router.domain.visits import degree_of, last_visit, surest
from services.router.visits import LastVisits
from shared import errors
from shared import handles as normal
from shared.events import (
    CallAnswered,
    ContextPackaged,
    Handle,
    SeenPage,
    VisitNoted,
    VisitSummarised,
    VisitSummarisedPersonal,
)
from shared.events.packet import Visit
from shared.visits import VisitorLink
from tests.router.in_memory_router import InMemoryRouter
from tests.router.samples import ANNA, NOON, a_policy, call, mail, message, phone, visit

LAMPS = SeenPage(url="https://shop.example/lamps", title="Lamps")
SEEN = Visit(
    began=NOON,
    ended=NOON,
    pages=[LAMPS],
    cart=["Floor lamp"],
    campaign=[("name", "autumn")],
    did=[],
    known_by="phone",
    proof="claimed",
)


def seen(name: str, minutes: float, **told: Any) -> VisitSummarised:
    """What a visitor did so many minutes after noon."""
    at = NOON + timedelta(minutes=minutes)
    made = visit(name)
    personal = VisitSummarisedPersonal(**told)
    return replace(made, occurred=at, recorded=at, data=replace(made.data, personal=personal))


def last(*events: VisitSummarised) -> Visit:
    found = last_visit(events, phone(), "claimed")
    assert found is not None
    return found


# -- the last visit ---------------------------------------------------------------------------------------


def test_it_ends_where_she_was_silent_for_half_an_hour() -> None:
    """What was done before is an older visit; what is kept of it in the cart still lies there."""
    found = last(
        seen("a", 0, pages=[LAMPS], cart=["Rug"], cart_is="added", campaign=[("name", "spring")]),
        seen("b", 40, pages=[SeenPage(title="Beds")], campaign=[("name", "autumn")]),
        seen("c", 70, pages=[SeenPage(title="Chairs")], did=["Searched"]),
    )
    assert [page.title for page in found.pages] == ["Beds", "Chairs"]
    assert (found.began, found.ended) == (
        NOON + timedelta(minutes=40),
        NOON + timedelta(minutes=70),
    )
    assert (found.cart, found.campaign, found.did) == (["Rug"], [("name", "autumn")], ["Searched"])


def test_it_is_told_in_the_order_in_which_it_happened_and_once() -> None:
    """A delivery that came late, or a second time, moves nothing."""
    one, two = (seen(name, n, pages=[SeenPage(title=name)]) for n, name in enumerate("ab"))
    assert [page.title for page in last(two, one, two).pages] == ["a", "b"]


def test_what_happens_at_one_moment_stays_in_its_order() -> None:
    """A batch without times is one moment."""
    named = [seen(name, 0, cart=[name], cart_is="added") for name in "bca"]
    assert last(*named).cart == ["b", "c", "a"]


def test_no_clock_of_a_browser_is_ahead_of_ours() -> None:
    """What is told of tomorrow happened when it came."""
    early = replace(seen("a", 5, pages=[LAMPS]), occurred=NOON + timedelta(days=1))
    assert last(early, seen("b", 6)).ended == NOON + timedelta(minutes=6)


@pytest.mark.parametrize(
    ("changes", "cart"),
    [
        ([("added", ["a"]), ("added", ["b"]), ("added", ["a"])], ["a", "b"]),
        ([("added", ["a"]), ("added", ["b"]), ("removed", ["a"])], ["b"]),
        ([("added", ["a"]), ("whole", ["b", "c"])], ["b", "c"]),
        ([("added", ["a"]), ("whole", [])], []),
        ([("added", ["a"]), ("ordered", ["a"])], []),
        ([("added", ["a"]), ("ordered", ["a"]), ("added", ["b"])], ["b"]),
        ([("added", ["a"]), (None, [])], ["a"]),
        ([(None, ["a", "b"])], ["a", "b"]),
    ],
)
def test_the_cart_is_what_its_events_make_of_it(
    changes: Sequence[tuple[Any, list[str]]], cart: list[str]
) -> None:
    """Added to, taken from, told as a whole, ordered; events of a version before said only what lay in it."""
    told = [seen(str(n), n, cart=each, cart_is=how) for n, (how, each) in enumerate(changes)]
    assert last(*told).cart == cart


def test_a_long_visit_is_noted_as_long_as_a_packet_can_show() -> None:
    """The newest pages, the first products; each text cut."""
    found = last(
        *(seen(str(n), n, pages=[SeenPage(url="u" * 2_000, title=str(n))]) for n in range(20)),
        seen("cart", 20, cart=[f"{n}" * 500 for n in range(16)], cart_is="whole"),
    )
    assert [page.title for page in found.pages] == ["14", "15", "16", "17", "18", "19"]
    assert {len(page.url or "") for page in found.pages} == {256}
    assert (len(found.cart), {len(each) for each in found.cart}) == (12, {96})


def test_nothing_that_is_kept_is_no_visit() -> None:
    """There is nothing to show."""
    assert last_visit([], phone(), "claimed") is None


def test_it_is_hers_no_surer_than_the_handle_and_the_link_are() -> None:
    """A page claims; a shop's server may prove; and her own address in a form is a claim again."""
    claimed, proved = (VisitorLink(visitor=each, proof=each) for each in ("claimed", "proved"))
    assert degree_of(phone(proof="delivered"), claimed) == "claimed"
    assert degree_of(phone(proof="delivered"), proved) == "delivered"
    assert degree_of(phone(proof="claimed"), proved) == "claimed"
    found = [(phone(proof="delivered"), claimed), (mail(), proved)]
    assert surest(found) == found[1]
    assert surest([]) is None
    told = (phone(proof="delivered"), VisitorLink(visitor="c", proof="delivered", by_call=True))
    assert surest([told, found[0]]) == found[0]
    assert surest([told]) == told


# -- looking for it -----------------------------------------------------------------------------------------


class ReaderOf:
    """VISITS as it answers: never while it is `late`, or with an error."""

    def __init__(self, *, late: bool = False, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._late = late
        self._error = error

    async def visitors(
        self, tenant: str, wanted: Sequence[Handle]
    ) -> list[tuple[Handle, VisitorLink]]:
        self.asked += [f"{tenant}: {each.value}" for each in wanted]
        if self._late:
            await asyncio.Event().wait()
        if self._error is not None:
            raise self._error
        return [(wanted[0], VisitorLink(visitor="v", proof="claimed"))]

    async def of_visitor(self, tenant: str, token: str) -> list[VisitSummarised]:
        self.asked.append(f"{tenant}: {token}")
        return [seen("a", 0, pages=[LAMPS])]


def looks(reader: ReaderOf) -> LastVisits:
    given: Any = reader
    return LastVisits(given)


async def test_it_is_looked_for_by_what_may_be_hers() -> None:
    """Own addresses and references lead to nobody."""
    reader = ReaderOf()
    own = normal.of("email", "help@shop.example", "delivered")
    policy = replace(a_policy(), never_identifies=["help@"])
    found = await looks(reader).of(
        policy, [normal.reference("twilio_voice", "hotline", "CA1"), own, phone()]
    )
    assert found is not None
    assert (found.pages, found.proof, found.known_by) == ([LAMPS], "claimed", "phone")
    assert reader.asked == [f"demo: {ANNA}", "demo: v"]
    assert (
        await looks(reader).of(a_policy(), [normal.reference("twilio_voice", "hotline", "CA1")])
        is None
    )


async def test_a_shop_may_trust_what_its_pages_say() -> None:
    """Where they tell from a server alone, and nobody else has the key."""
    policy = replace(a_policy(), proof={"site": "delivered"})
    found = await looks(ReaderOf()).of(policy, [phone()])
    assert found is not None
    assert found.proof == "delivered"


@pytest.mark.parametrize(
    "reader",
    [
        ReaderOf(late=True),
        ReaderOf(error=errors.BusUnavailable()),
        ReaderOf(error=errors.NotAnEvent()),
    ],
    ids=["late", "away", "unreadable"],
)
async def test_no_decision_waits_for_it(reader: ReaderOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is help: absent, late or unreadable, there is none."""
    monkeypatch.setattr(looking, "LOOK_SECONDS", 0.01)
    assert await looks(reader).of(a_policy(), [phone()]) is None


# -- in the ledger ------------------------------------------------------------------------------------------


async def packets(router: InMemoryRouter) -> list[Visit | None]:
    """The visit in each packet so far."""
    found = await router.all(ContextPackaged)
    return [each.personal.packet.around.visit for each in found if each.personal]


async def test_it_stands_before_the_packet_that_shows_it(router: InMemoryRouter) -> None:
    """The call is told, then what was done on the pages; who is offered the call sees it."""
    router.visits.found[ANNA] = SEEN
    await router.does("piotr", "sign_in")
    types = await router.happens(call("started"))
    assert types.index("call.started") < types.index("visit.noted")
    offered = await router.offers()
    assert {"context.packaged", "contact.offered"} <= set(offered)
    assert await packets(router) == [SEEN]
    noted = await router.last(VisitNoted)
    assert (noted.open.pages, noted.open.in_cart, noted.open.proof) == (1, 1, "claimed")
    assert noted.open.contact_id


async def test_it_is_asked_for_once_a_contact(router: InMemoryRouter) -> None:
    """What a call reports later, or what comes a second time, asks for nothing; her next contact does."""
    await router.happens(call("started"))
    asked = len(router.visits.asked)
    await router.happens(call("answered"), call("ended"))
    assert len(router.visits.asked) == asked
    await router.happens(message("Where is it?", handles=[phone()]))
    assert len(router.visits.asked) > asked


async def test_what_is_told_of_the_past_asks_for_nothing(router: InMemoryRouter) -> None:
    """Today's visit says nothing of what she wrote the day before yesterday."""
    router.clock.time = NOON + timedelta(days=2)
    event = call("started")
    await router.happens(replace(event, recorded=router.clock.time))
    assert router.visits.asked == []


async def test_by_what_she_is_known_by_too(router: InMemoryRouter) -> None:
    """She registered an address; her number is what she calls from."""
    given = [phone(), normal.of("email", "anna@mail.example", "delivered")]
    await router.happens(message("Hello", "m1", channel="email", handles=given))
    await router.happens(call("started"))
    assert router.visits.asked[-1].count("anna@mail.example") == 1


async def test_the_same_visit_is_noted_once(router: InMemoryRouter) -> None:
    """A new one replaces it; a contact without one leaves it there."""
    router.visits.found[ANNA] = SEEN
    await router.happens(call("started", "CA1"))
    assert "visit.noted" not in await router.happens(message("And this", "m2", handles=[phone()]))
    router.visits.found[ANNA] = replace(SEEN, cart=[])
    assert "visit.noted" in await router.happens(message("Or this", "m3", handles=[phone()]))


async def test_without_one_everything_is_as_before(router: InMemoryRouter) -> None:
    """Most customers were never on the pages."""
    assert "visit.noted" not in await router.happens(call("started"))


async def test_a_call_whose_beginning_is_not_told_shows_it_too(router: InMemoryRouter) -> None:
    """Some exchanges tell the answer first."""
    router.visits.found[ANNA] = SEEN
    assert "visit.noted" in await router.happens(call("answered"))
    assert await router.all(CallAnswered) != []

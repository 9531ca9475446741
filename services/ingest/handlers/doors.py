"""The doors: tenant, account, size, signature, RAW, then 2xx. Nothing else happens before the answer.

Only a delivery that has come whole and whose signature is right takes one of the places at the store.
"""

import asyncio
import contextlib
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import structlog
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Scope

from services.ingest.domain.delivery import BY_GET, Answer, WebRequest
from services.ingest.handlers import callers, logged, problems, raw_store
from services.ingest.handlers.accounts import Accounts, Door
from services.ingest.handlers.bodies import Bodies, more_seconds
from shared import errors, metrics, subjects
from shared.clock import Clock
from shared.settings import Settings

DISCARD_MAX_BYTES = 33_554_432
DISCARD_MAX_SECONDS = 1.0
"""How much of a refused body is read and thrown away: closed on at once, its sender would not read our answer."""

log = structlog.get_logger("ingest")


@dataclass(frozen=True, slots=True)
class DoorAnswer:
    """A request that was answered. `sequence`: where its delivery stands in RAW; `None` for a handshake."""

    answer: Answer
    sequence: int | None
    size_bytes: int


class Doors:
    """Takes deliveries by POST and answers handshakes by GET.

    `public_url`: the address under which providers know us.
    """

    def __init__(
        self,
        accounts: Accounts,
        store: raw_store.RawStore,
        settings: Settings,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._accounts = accounts
        self._store = store
        self._settings = settings
        self._clock = clock
        self._public_url = public_url
        self._bodies = Bodies(settings)
        self._callers = callers.Callers(settings)
        self._storing: Counter[str] = Counter()

    async def serve(self, request: Request, tenant: str, channel: str, account: str) -> Response:
        """Return the answer to a request, and log it in one line: what was taken when its provider has its answer."""
        began = time.perf_counter()
        known = _known(tenant=tenant, channel=channel, account=account)
        is_ours = self._accounts.has(tenant, channel, account)
        counted = (tenant, channel) if is_ours else ("", "")
        try:
            taken = await self._take(request, tenant, channel, account)
        except errors.TellonceError as error:
            facts = {"code": error.code, "cause": error.details.get("cause")}
            _count(began, counted, error.code)
            log.info(logged.DELIVERY_REFUSED, **known, **facts, duration_ms=_ms_since(began))
            let_go(error)
            if not isinstance(error, errors.DeliveryTooSlow):
                await _discard(request)
            return problems.problem(error)
        _count(began, counted, "handshake" if taken.sequence is None else "stored")
        answer, status = taken.answer, 200 if taken.answer.body else 204
        told = BackgroundTask(_tell, taken, **known, duration_ms=_ms_since(began))
        return Response(answer.body, status, media_type=answer.media_type, background=told)

    async def _take(self, request: Request, tenant: str, channel: str, account: str) -> DoorAnswer:
        """Raises: MethodUnknown, TenantUnknown, AccountUnknown, as `Bodies.held`, SignatureInvalid, DoorUnavailable."""
        if request.method not in {"GET", "POST"}:
            raise errors.MethodUnknown
        door = self._accounts.find(tenant, channel, account)
        until = asyncio.get_running_loop().time() + self._settings.door_timeout_seconds
        peer, limit_bytes = self._callers.peer_of(request), self._limit_bytes(door)
        async with self._bodies.held(request, peer, until, limit_bytes) as body:
            asked = web_request(request, body, self._clock)
            return await self._answered(door, asked, until + 2 * more_seconds(len(body)))

    def _limit_bytes(self, door: Door) -> int:
        is_mail = door.channel.MEDIUM == "mail"
        return self._settings.mail_max_bytes if is_mail else self._settings.body_max_bytes

    async def _answered(self, door: Door, asked: WebRequest, until: float) -> DoorAnswer:
        """Answer a request that has come whole. Raises: MethodUnknown, SignatureInvalid, DoorUnavailable."""
        if asked.method == "GET":
            answer = door.channel.handshake(asked, door.secrets) if door.open else None
            if answer is None:
                raise errors.MethodUnknown
            if answer is not BY_GET:
                return DoorAnswer(answer, None, len(asked.body))
        if not door.open:
            raise errors.SignatureInvalid
        if len(asked.body) > self._settings.body_max_bytes:
            await asyncio.to_thread(door.channel.verify, asked, door.secrets, self._public_url)
        else:
            door.channel.verify(asked, door.secrets, self._public_url)
        return await self._stored(door, asked, until)

    async def _stored(self, door: Door, asked: WebRequest, until: float) -> DoorAnswer:
        """Store a delivery whose sender is proved; of one by GET the query is the body. Raises: DoorUnavailable."""
        kept = asked
        if asked.method == "GET":
            query = raw_store.kept_url(asked.url).partition("?")[2]
            kept = replace(asked, body=query.encode())
        try:
            async with asyncio.timeout_at(until):
                with self._place(f"{door.tenant}/{door.name}"):
                    stored = await self._store.append(
                        door.tenant, door.channel.NAME, door.account, kept
                    )
        except TimeoutError:
            raise errors.DoorUnavailable("the delivery took too long; send it again") from None
        answer = door.channel.answer(asked, door.rules)
        return DoorAnswer(answer, stored.sequence, len(kept.body))

    @contextlib.contextmanager
    def _place(self, name: str) -> Iterator[None]:
        """Hold a place at the store for an account; one account never takes them all. Raises: DoorUnavailable."""
        full = self._storing.total() >= self._settings.door_concurrency
        if full or self._storing[name] >= self._settings.account_concurrency:
            raise errors.DoorUnavailable("too many deliveries at once; send it again")
        self._storing[name] += 1
        try:
            yield
        finally:
            self._storing[name] -= 1


def _count(began: float, counted: tuple[str, str], outcome: str) -> None:
    metrics.DOOR_ANSWERS.add(*counted, outcome)
    metrics.DOOR_SECONDS.observe(time.perf_counter() - began, counted[1])


async def _tell(taken: DoorAnswer, **facts: object) -> None:
    event = logged.HANDSHAKE_ANSWERED if taken.sequence is None else logged.DELIVERY_STORED
    log.info(event, sequence=taken.sequence, body_bytes=taken.size_bytes, **facts)


def let_go(error: BaseException | None) -> None:
    """Free what the frames of an error hold: else its body would be held while the rest of it is discarded."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


async def _discard(request: Request) -> None:
    """Read the rest of a refused body and discard the bytes. A sender that awaits `100 Continue` sends no body."""
    if "expect" in request.headers:
        return
    left_bytes = DISCARD_MAX_BYTES
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):
        async with asyncio.timeout(DISCARD_MAX_SECONDS):
            async for piece in request.stream():
                left_bytes -= len(piece)
                if left_bytes < 0:
                    return


def web_request(request: Request, body: bytes, clock: Clock) -> WebRequest:
    """Return a request as channels read it: the address as called, the body's bytes as sent."""
    return WebRequest(
        request.method,
        url_as_called(request.scope),
        header_fields(request.scope),
        body,
        clock.now(),
    )


def url_as_called(scope: Scope) -> str:
    """Return path and query as they stood on the wire."""
    path = scope.get("raw_path", b"").decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path


def header_fields(scope: Scope) -> list[tuple[str, str]]:
    """Return the header fields in the order they came, names in lower case."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]


def _known(**names: str) -> dict[str, str]:
    """What a stranger puts into the path is logged as far as it can be a name."""
    return {key: value if subjects.is_token(value) else "?" for key, value in names.items()}


def _ms_since(began: float) -> float:
    return round((time.perf_counter() - began) * 1_000, 2)

"""An exchange's manager interface (AMI) on loopback: it logs in, answers, tells events, and breaks as one wishes.

Played by docs.asterisk.org (AMI Actions Login, Challenge, CoreShowChannels, Ping) and by what Asterisk 16.28 said here.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

USER, PASSWORD = "tellonce", "s3cret-of-the-exchange"
CHALLENGE = "208314621"
BANNER = b"Asterisk Call Manager/5.0.5\r\n"


@dataclass
class FakeExchange:
    """`banner`: how it greets; `channels`: the blocks of `CoreShowChannel` that it names when asked.

    `may_ask`: whether its user may ask for them; `frozen`: it takes everything and says nothing; `told`: all that was
    said to it; `before_answer`: called before it names its channels; `tls`: how it encrypts, `None`: not at all.
    """

    banner: bytes = BANNER
    channels: list[bytes] = field(default_factory=list)
    may_ask: bool = True
    frozen: bool = False
    told: bytearray = field(default_factory=bytearray)
    logins: int = 0
    before_answer: Callable[[], None] = lambda: None
    port: int = 0
    tls: ssl.SSLContext | None = None
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)
    _server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        """As a policy has it."""
        return f"{'tls' if self.tls else 'tcp'}://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """End, and every connection with it."""
        if self._server is not None:
            self._server.close()
        self.drop()

    def say(self, data: bytes) -> None:
        """Tell whoever is logged in."""
        for each in self._writers:
            each.write(data)

    async def until_heard(self) -> None:
        """Let what was said reach whoever listens before more is: the loop hands it over when it goes round."""
        for each in self._writers:
            await each.drain()
        await asyncio.sleep(0)

    def drop(self) -> None:
        """Cut all connections off, whatever is under way."""
        for each in self._writers:
            each.close()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.banner)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                self.told += asked
                lines = (line.partition(": ") for line in asked.decode().split("\r\n") if line)
                if not self.frozen:
                    self._answer({key: value for key, _, value in lines}, writer)
        writer.close()

    def _answer(self, asked: dict[str, str], writer: asyncio.StreamWriter) -> None:
        number = asked["ActionID"]

        def answer(how: str, *lines: str) -> None:
            said = (f"Response: {how}", f"ActionID: {number}", *lines)
            writer.write("".join(f"{line}\r\n" for line in said).encode() + b"\r\n")

        match asked["Action"]:
            case "Challenge":
                answer("Success", f"Challenge: {CHALLENGE}")
            case "Login":
                key = hashlib.md5((CHALLENGE + PASSWORD).encode(), usedforsecurity=False)
                proved = asked.get("Key") == key.hexdigest() or asked.get("Secret") == PASSWORD
                if asked["Username"] != USER or not proved:
                    answer("Error", "Message: Authentication failed")
                    return
                answer("Success", "Message: Authentication accepted")
                self.logins += 1
                self._writers.append(writer)
            case "Ping":
                answer("Success", "Ping: Pong")
            case "CoreShowChannels" if self.may_ask:
                answer("Success", "EventList: start", "Message: Channels will follow")
                self.before_answer()
                for each in self.channels:
                    writer.write(
                        f"Event: CoreShowChannel\r\nActionID: {number}\r\n".encode() + each
                    )
                writer.write(
                    f"Event: CoreShowChannelsComplete\r\nActionID: {number}\r\nEventList: Complete\r\n"
                    f"ListItems: {len(self.channels)}\r\n\r\n".encode()
                )
            case _:
                answer("Error", "Message: Permission denied")


@contextlib.asynccontextmanager
async def exchange(**options: object) -> AsyncIterator[FakeExchange]:
    """Give an exchange that listens until the block ends."""
    made = FakeExchange(**options)  # type: ignore[arg-type]
    await made.start()
    try:
        yield made
    finally:
        await made.stop()

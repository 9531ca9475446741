"""A real browser, driven by its DevTools protocol (chromedevtools.github.io/devtools-protocol, read 2026-11)."""

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from tests.support.waiting import eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)
ANSWER_SECONDS = 30.0
CHAT = "document.querySelector('tellonce-chat').shadowRoot"


class Tab:
    """One tab. `violations`: of the page's content security policy; `failures`: errors that nobody caught."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.violations: list[str] = []
        self.failures: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for text in self._socket:
            said = msgspec.json.decode(text)
            if said.get("id") in self._waiting:
                self._waiting.pop(said["id"]).set_result(said)
            elif said.get("method") == "Log.entryAdded":
                entry = said["params"]["entry"]
                if entry["source"] == "security":
                    self.violations.append(entry["text"])
            elif said.get("method") == "Runtime.exceptionThrown":
                self.failures.append(str(said["params"]["exceptionDetails"]))

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(
            msgspec.json.encode({"id": number, "method": method, "params": params}).decode()
        )
        async with asyncio.timeout(ANSWER_SECONDS):
            said = await answer
        assert "error" not in said, said
        found: dict[str, Any] = said["result"]
        return found

    async def value(self, expression: str) -> Any:
        """Return what an expression is worth in the page."""
        said = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")

    async def until(self, expression: str, wanted: Any = True) -> None:
        """Wait until an expression has a value."""
        got: list[Any] = []

        async def met() -> bool:
            got[:] = [await self.value(expression)]
            return bool(got[0] == wanted)

        try:
            await eventually(met)
        except AssertionError:
            raise AssertionError(f"{expression} stays at {got}, not {wanted}") from None

    async def key(self, key: str, code: int, text: str = "", *, shift: bool = False) -> None:
        """Press and release a key."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 * shift}
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        await self.call("Input.dispatchKeyEvent", **about, **down)
        await self.call("Input.dispatchKeyEvent", **about, type="keyUp")

    async def enter(self, *, shift: bool = False) -> None:
        await self.key("Enter", 13, "\r", shift=shift)

    async def write(self, text: str) -> None:
        """Write into whatever has the focus."""
        await self.call("Input.insertText", text=text)

    async def texts(self) -> list[str]:
        """Return what the chat shows, oldest first."""
        found = await self.value(f"[...{CHAT}.querySelectorAll('.said p')].map(e => e.innerText)")
        return list(found)

    async def until_texts(self, *texts: str) -> None:
        await self.until(
            f"[...{CHAT}.querySelectorAll('.said p')].map(e => e.innerText)", list(texts)
        )

    async def close(self) -> None:
        self._reading.cancel()
        await self._socket.close()


class Browser:
    """A running browser. Its tabs share what pages of one origin keep."""

    def __init__(self, port: int, path: str) -> None:
        self._port = port
        self._path = path
        self._tabs: list[Tab] = []

    async def tab(self, url: str) -> Tab:
        """Open a page and wait for its chat."""
        async with connect(f"ws://127.0.0.1:{self._port}{self._path}", proxy=None) as socket:
            opening = {"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}}
            await socket.send(msgspec.json.encode(opening).decode())
            said = msgspec.json.decode(await socket.recv())
            while said.get("id") != 1:
                said = msgspec.json.decode(await socket.recv())
        name = said["result"]["targetId"]
        address = f"ws://127.0.0.1:{self._port}/devtools/page/{name}"
        tab = Tab(await connect(address, proxy=None, max_size=None))
        self._tabs.append(tab)
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            await tab.call(f"{domain}.enable")
        await tab.call("Page.navigate", url=url)
        await tab.until("!!document.querySelector('tellonce-chat')")
        return tab

    async def close(self) -> None:
        for tab in self._tabs:
            await tab.close()


@contextlib.asynccontextmanager
async def browser(program: str) -> AsyncIterator[Browser]:
    """Run a browser with a profile of its own until the block ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            *ARGUMENTS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port, path = await _until_listening(Path(profile) / "DevToolsActivePort")
            running = Browser(port, path)
            yield running
            await running.close()
        finally:
            process.kill()
            await process.wait()


async def _until_listening(place: Path) -> tuple[int, str]:
    """Return the port and path at which the browser takes commands, once it has written them."""

    async def written() -> bool:
        return place.exists() and len(place.read_text().split()) == 2

    await eventually(written)
    port, path = place.read_text().split()
    return int(port), path

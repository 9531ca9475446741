"""A shop's page with the widget, as strict as a shop may be, and a browser that opens it."""

import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from deploy.embedded.ports import free_ports
from tests.ingest.running_ingest import RunningIngest, running
from tests.support.servers import EmbeddedNats
from tests.widget.browser import CHROMIUM, Browser, browser

WIDGET = Path(__file__).parents[2] / "deploy" / "widget" / "chat.js"


class Served(Protocol):
    """Takes the attributes of the script's line, and the page's styles; returns the address of a page with both."""

    def __call__(self, attributes: str, styles: str = "") -> str: ...


@pytest_asyncio.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A real browser."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here (Debian: apt-get install chromium)")
    async with browser(CHROMIUM) as started:
        yield started


@pytest_asyncio.fixture
async def nats(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    """A server that outlives ingest."""
    async with EmbeddedNats(tmp_path / "nats") as server:
        yield server


@pytest_asyncio.fixture
async def ingest(nats: EmbeddedNats, tmp_path: Path) -> AsyncIterator[RunningIngest]:
    """A running ingest."""
    async with running(nats.url, tmp_path, port=free_ports(1)[0]) as started:
        yield started


class _Page(BaseHTTPRequestHandler):
    def __init__(self, lines: dict[str, str], *args: object) -> None:
        self._lines = lines
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:  # noqa: N802  the base class's word
        script = self.path == "/chat.js"
        line = self._lines.get(self.path, "")
        page = f"<!doctype html><html lang=en><title>Shop</title><body><h1>Shop</h1>{line}"
        styles = "style-src 'unsafe-inline';" if "<style>" in line else ""
        body = WIDGET.read_bytes() if script else page.encode()
        self.send_response(200)
        kind = "text/javascript" if script else "text/html"
        self.send_header("content-type", f"{kind}; charset=utf-8")
        self.send_header(
            "content-security-policy",
            f"default-src 'none'; script-src 'self'; {styles}"
            " connect-src ws://127.0.0.1:*; require-trusted-types-for 'script'",
        )
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@contextlib.contextmanager
def _serving(lines: dict[str, str]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Page, lines))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def shop() -> Iterator[Served]:
    """The shop's web server."""
    lines: dict[str, str] = {}
    with _serving(lines) as address:

        def page(attributes: str, styles: str = "") -> str:
            path = f"/page-{len(lines)}"
            lines[path] = f'{styles}<script src="/chat.js" {attributes} defer></script>'
            return address + path

        yield page

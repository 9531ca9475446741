"""A real IMAP server on loopback: Debian's dovecot, with one user and a mailbox of its own."""

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imapclient import IMAPClient  # type: ignore[import-untyped]

from deploy.embedded.ports import free_ports
from tests.ingest.running_ingest import until

PROGRAM = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "help@shop.example", "a-secret-of-the-mailbox"
START_SECONDS = 20.0

CONFIGURATION = """\
protocols = imap
listen = 127.0.0.1
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
ssl = no
disable_plaintext_auth = no
default_internal_user = {owner}
default_internal_group = {group}
default_login_user = {login}
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = passwd-file
  mechanisms = plain
  args = scheme=PLAIN username_format=%u {folder}/users
}}
auth_mechanisms = plain {by_token}
passdb {{
  driver = oauth2
  mechanisms = {by_token}
  args = {folder}/oauth2
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""

INTROSPECTION = """\
introspection_mode = post
introspection_url = {url}
force_introspection = yes
username_attribute = username
active_attribute = active
active_value = true
"""


@dataclass
class Dovecot:
    """The server and its folder. It is started and stopped as often as a test likes."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """The mailbox as a policy names it."""
        return f"imap://127.0.0.1:{self.port}/INBOX"

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.process = await asyncio.create_subprocess_exec(
            PROGRAM or "dovecot",
            "-F",
            "-c",
            str(self.folder / "dovecot.conf"),
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(self._answers, START_SECONDS)

    async def _answers(self) -> bool | None:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return None
        writer.close()
        return True

    async def stop(self) -> None:
        """End it, and every connection to it."""
        if self.process is not None:
            self.process.terminate()
            await self.process.wait()
            self.process = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[IMAPClient]:
        """Give the mailbox to whoever uses it beside us."""
        client = IMAPClient("127.0.0.1", port=self.port, ssl=False, timeout=10)
        client.login(USER, PASSWORD)
        client.select_folder("INBOX")
        try:
            yield client
        finally:
            client.logout()

    def append(self, *mails: bytes) -> None:
        """Put mails into the mailbox."""
        with self.opened() as client:
            for mail in mails:
                client.append("INBOX", mail)

    def forget_uids(self) -> None:
        """Let a stopped server begin its UIDs anew, as a restored mailbox does."""
        for path in (self.folder / "mail").glob("dovecot*"):
            path.unlink() if path.is_file() else shutil.rmtree(path)


@contextlib.asynccontextmanager
async def dovecot(
    introspection_url: str = "http://127.0.0.1:1/", by_token: str = "xoauth2"
) -> AsyncIterator[Dovecot]:
    """Run a server until the block ends.

    `introspection_url`: who knows which access tokens are good; `by_token`: the mechanism that takes them.
    """
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    server = Dovecot(folder, free_ports(1)[0])
    own = pwd.getpwuid(os.geteuid()).pw_name
    # As root it gives up its rights: to the users that the package made.
    owner, login, reader = (
        ("dovecot", "dovenull", "nobody") if os.geteuid() == 0 else (own, own, own)
    )
    known = pwd.getpwnam(reader)
    (folder / "mail").mkdir()
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n")
    (folder / "oauth2").write_text(INTROSPECTION.format(url=introspection_url))
    values = {
        "folder": folder,
        "port": server.port,
        "owner": owner,
        "login": login,
        "group": grp.getgrgid(pwd.getpwnam(owner).pw_gid).gr_name,
        "uid": known.pw_uid,
        "gid": known.pw_gid,
        "by_token": by_token,
    }
    (folder / "dovecot.conf").write_text(CONFIGURATION.format_map(values))
    folder.chmod(0o755)
    shutil.chown(folder / "mail", known.pw_uid, known.pw_gid)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)

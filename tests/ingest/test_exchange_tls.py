"""An exchange that is listened to by TLS: only one whose certificate is trusted is told the password."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from shared.bus import Bus
from tests.fakes.exchange import PASSWORD, exchange
from tests.ingest.exchange_listening import asked, bus, make, quick, troubled
from tests.ingest.remote_readers import reading

__all__ = ["bus", "quick"]

OPENSSL = shutil.which("openssl")


def certified(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    made = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=pbx -keyout {key}"
    named = f"-out {certificate} -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(  # noqa: S603  our own words
        [str(OPENSSL), *made.split(), *named.split()], check=True, capture_output=True
    )
    return certificate, key


@pytest.mark.skipif(OPENSSL is None, reason="openssl makes the certificate, and is not installed")
async def test_a_certificate_that_nobody_vouches_for_is_told_nothing(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` names who is trusted besides."""
    certificate, key = certified(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with exchange(tls=tls) as pbx:
        reader = make(bus, "tls", ami=pbx.address)
        async with reading(reader):
            await troubled(reader, "provider.unavailable")
            assert not pbx.told
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
            await asked(bus, "tls")
        assert PASSWORD.encode() in pbx.told

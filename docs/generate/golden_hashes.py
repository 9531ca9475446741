"""The hashes of the golden events: a new sample's is added, that of one that stands is never changed."""

import hashlib

from docs.generate.house_pages import ROOT

SAMPLES = ROOT / "tests" / "golden" / "events"
HASHES = SAMPLES.with_suffix(".sha256")


def hashes() -> str:
    """Return the list with the samples that it lacks."""
    together = {**found(), **listed()}
    return "".join(f"{together[name]}  {name}\n" for name in sorted(together))


def listed() -> dict[str, str]:
    """Return the noted hash of each sample, by file name."""
    pairs = (line.split() for line in HASHES.read_text("utf-8").splitlines())
    return {name: digest for digest, name in pairs}


def found() -> dict[str, str]:
    """Return the hash of each sample as it is, by file name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SAMPLES.glob("*.json")
    }

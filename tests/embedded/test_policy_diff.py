"""`tellonce policy diff`: what a change means for people, and what it strands."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from deploy.policy.differences import Change, differences
from shared.policy import load, parse
from tests.embedded.responder import Responder
from tests.embedded.shops import EMBEDDED

OLD = load(EMBEDDED)


def after(**fields: Any) -> list[Change]:
    """Return what changes where the embedded policy says something else."""
    said = yaml.safe_load(EMBEDDED.read_bytes())
    return differences(OLD, parse(msgspec.yaml.encode({**said, **fields})))


def written(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(EMBEDDED.read_bytes())[name]
    return found


def without(name: str, *gone: str) -> dict[str, Any]:
    return {key: each for key, each in written(name).items() if key not in gone}


def test_what_is_said_otherwise_is_told_in_words() -> None:
    """Of things by their name, of lists what comes and goes, of values before and after."""
    assert differences(OLD, OLD) == []
    piotr = {"name": "Piotr", "queues": ["hotline", "warehouse"], "teams": ["hotline"], "slots": 5}
    told = after(agents={**written("agents"), "piotr": piotr}, times={"offer_seconds": 20})
    assert told == [
        Change("agent piotr: queues: + warehouse"),
        Change("agent piotr: slots: 3 → 5"),
        Change("times.offer_seconds: 30.0 → 20.0"),
        Change("queue warehouse: offered to marek, piotr; before to marek"),
    ]


@pytest.mark.parametrize(
    ("fields", "stranded"),
    [
        ({"agents": without("agents", "piotr")}, "agent piotr: all that she owns goes back"),
        ({"agents": without("agents", "piotr")}, "queue hotline: nobody is offered"),
        ({"agents": without("agents", "piotr")}, "team hotline: nobody is left"),
        (
            {"queues": without("queues", "warehouse")},
            "queue warehouse: whoever waits there waits in",
        ),
        ({"accounts": without("accounts", "chat/shop")}, "account chat/shop: its door is shut"),
        ({"lookup_secret": "OTHER"}, "nobody who came before is recognised"),
        ({"reply_secrets": []}, "answers to mails marked by REPLY_KEY prove nothing"),
        ({"tenant": "other"}, "it is another tenant's"),
    ],
)
def test_what_loses_its_way_is_told(fields: dict[str, Any], stranded: str) -> None:
    """Whoever takes something away is told what people wait for there, or work on."""
    said = yaml.safe_load(EMBEDDED.read_bytes()) | fields
    said["queues"] = {name: {**each, "supervisor": None} for name, each in said["queues"].items()}
    kept = set(said["queues"])
    said["agents"] = {
        name: {**each, "queues": [queue for queue in each["queues"] if queue in kept]}
        for name, each in said["agents"].items()
    }
    said["accounts"] = {name: {**each, "topics": {}} for name, each in said["accounts"].items()}
    said.pop("rules", None)
    found = differences(OLD, parse(msgspec.yaml.encode(said)))
    assert any(each.strands and each.text.startswith(stranded) for each in found)


def test_the_running_stack_says_what_those_who_go_hold(
    nats_url: str,
    tmp_path: Path,
    run: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What an agent owns who is taken away is counted; exit 1 where something is stranded, 0 where nothing is."""
    monkeypatch.setenv("TELLONCE_NATS_URL", nats_url)
    said = yaml.safe_load(EMBEDDED.read_bytes())
    said["agents"].pop("ewa")
    said["queues"]["branch-krakow"]["supervisor"] = "piotr"
    new = tmp_path / "new.yaml"
    new.write_bytes(msgspec.yaml.encode(said))
    counts = {"counts": {"offered": 1, "waiting": 0, "owned": 4}}
    with Responder(nats_url, "query.demo.inbox", [json.dumps(counts).encode()]) as asked:
        code, out, _ = run("policy", "diff", str(EMBEDDED), str(new), "--running")
    assert code == 1
    assert asked.asked[0]["agent"] == "ewa"
    assert "agent ewa: 1 offered, 0 waiting, 4 owned" in out
    assert run("policy", "diff", str(EMBEDDED), str(EMBEDDED))[:2] == (0, "Both say the same.\n")
    assert run("policy", "diff", str(EMBEDDED), str(tmp_path / "nowhere.yaml"))[0] == 2

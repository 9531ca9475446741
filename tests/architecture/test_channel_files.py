"""Every file of a channel has the shape of its room: they are found by looking, so no type checker compares them."""

import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, get_type_hints

import msgspec
import pytest

from deploy.story.providers import PROVIDERS, Provider
from services.ingest.channels import CHANNELS as INBOUND
from services.ingest.channels import Channel
from services.ingest.lists import LISTS, CallList
from services.ingest.sources import SOURCES, Source
from services.notify.channels import CHANNELS as OUTBOUND
from services.notify.channels import Outbound
from services.notify.channels import email as mail_channel

FILES: list[tuple[type, Any]] = [
    *((Channel, file) for file in INBOUND.values()),
    *((CallList, file) for file in LISTS.values()),
    *((Source, file) for file in SOURCES.values()),
    *((Outbound, file) for file in OUTBOUND.values()),
    *((Provider, file) for file in PROVIDERS.values()),
]


def complaints(contract: type, file: Any) -> list[str]:
    """Return in what a file differs from its contract; [] when it does not."""
    found = []
    for name, member in vars(contract).items():
        if isinstance(member, property):
            found += _constant(name, get_type_hints(member.fget)["return"], file)
        elif inspect.isfunction(member) and not name.startswith("_"):
            found += _function(name, member, file)
    return found


def _constant(name: str, kind: Any, file: Any) -> list[str]:
    try:
        msgspec.convert(getattr(file, name, None), kind)
    except msgspec.ValidationError as error:
        return [f"{name}: {error}"]
    return []


def _function(name: str, wanted: Any, file: Any) -> list[str]:
    given = getattr(file, name, None)
    if given is None:
        return [f"{name}: is missing"]
    ours, its = get_type_hints(wanted), get_type_hints(given)
    accepted = [ours[key] for key in ours if key != "return"]
    taken = [its[key] for key in its if key != "return"]
    if accepted != taken and Any not in accepted:
        return [f"{name}: takes {taken}, not {accepted}"]
    if len(accepted) != len(taken):
        return [f"{name}: takes {len(taken)} arguments, not {len(accepted)}"]
    if ours["return"] not in {its["return"], Any}:
        return [f"{name}: returns {its['return']}, not {ours['return']}"]
    return []


@pytest.mark.parametrize(("contract", "file"), FILES, ids=[file.__name__ for _, file in FILES])
def test_every_file_of_a_channel_keeps_its_contract(contract: type, file: ModuleType) -> None:
    """What is missing or of another type is found here, not when a provider calls."""
    assert complaints(contract, file) == []
    assert Path(str(file.__file__)).stem == file.NAME, "a file has the name of its channel"


def test_a_file_of_another_shape_is_found() -> None:
    """A constant of another type, a function that is missing, one with other arguments or another answer."""
    good = vars(mail_channel)
    assert complaints(Outbound, SimpleNamespace(**good)) == []

    def address(to: str) -> bytes | None:
        return None

    for wrong in (
        {"MEDIUM": "pigeon"},
        {"CARRIER": None},
        {"outcome": None},
        {"address": lambda: None},
        {"address": address},
        {"render": mail_channel.address},
    ):
        assert len(complaints(Outbound, SimpleNamespace(**{**good, **wrong}))) == 1, wrong

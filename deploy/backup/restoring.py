"""Puts a backup back: where a stream is gone it is made anew, the ledger last, and adopted as it stands."""

import asyncio
import hashlib
from pathlib import Path

from deploy import ledger
from deploy.backup import manifest, snapshots
from deploy.backup.errors import BackupDamaged, RestoreFailed, RestoreRefused
from deploy.backup.manifest import Follower, Manifest
from deploy.backup.taking import MADE_AGAIN, Say
from shared import ensuring, errors, streams
from shared.bus import Bus
from shared.comparing import Config
from shared.settings import Settings

RESTORED = {"backup": "restored"}
"""What contradicts a ledger that was put back: nobody knows what was in it behind its end."""


async def restore(
    bus: Bus,
    chosen: Settings,
    tenant: str,
    everything: streams.WantedStreams,
    folder: Path,
    reason: str,
    say: Say,
) -> ledger.Findings:
    """Put a backup back and adopt its ledger, on the record; the same again goes on where the first one ended.

    Raises: BackupDamaged, RestoreRefused: nothing was changed; RestoreFailed; as `deploy.ledger.adopt`.
    """
    backup = await asyncio.to_thread(manifest.checked, folder)
    there = await _there(bus, backup)
    try:
        for stream in MADE_AGAIN:
            await _take_away(bus, stream)
        for stream in (each for each in backup.streams if each != streams.LEDGER):
            await _put_back(bus, chosen, folder / stream, stream, say)
        await _begin_raw(bus, everything, backup)
        if not there:
            await _put_back(bus, chosen, folder / streams.LEDGER, streams.LEDGER, say)
            if not await _there(bus, backup):
                raise BackupDamaged(file=streams.LEDGER)
        for follower in backup.followers:
            await _go_on(bus, follower)
    except errors.BusUnavailable as error:
        raise RestoreFailed(reason=error.code) from error
    except errors.JetStreamRefused as error:
        raise RestoreFailed(reason=str(error.details["description"])) from error
    return await ledger.adopt(bus, chosen, tenant, everything, reason, RESTORED)


async def _there(bus: Bus, backup: Manifest) -> bool:
    """Tell whether the backup's ledger stands there, and ends where it did; `False` where there is none.

    Raises: RestoreRefused for any other one.
    """
    end = await snapshots.end(bus, streams.LEDGER)
    if end == 0:
        return False
    last = await bus.leader_get(streams.LEDGER, sequence=end)
    if end == backup.position and last and hashlib.sha256(last.body).hexdigest() == backup.sha256:
        return True
    raise RestoreRefused(position=end)


async def _put_back(bus: Bus, chosen: Settings, folder: Path, stream: str, say: Say) -> None:
    """Make a stream anew that is gone, holds nothing or is not whole; any other one stays as it is."""
    if await snapshots.end(bus, stream):
        say(f"{stream:<9} is there, and stays")
        return
    await _take_away(bus, stream)
    await snapshots.put_back(bus, folder, {"num_replicas": chosen.replicas})
    say(f"{stream:<9} is put back")


async def _begin_raw(bus: Bus, everything: streams.WantedStreams, backup: Manifest) -> None:
    """Let RAW go on behind what it had given: where events say that their deliveries stand no others will."""
    if await snapshots.end(bus, streams.RAW):
        return
    await _take_away(bus, streams.RAW)
    (config,) = (each for each in everything.streams if each["name"] == streams.RAW)
    await bus.api(f"STREAM.CREATE.{streams.RAW}", {**config, "first_seq": backup.raw + 1})


async def _go_on(bus: Bus, follower: Follower) -> None:
    """Let a consumer of the ledger begin behind what it had done."""
    name = follower.config["durable_name"]
    config: Config = {
        **{field: value for field, value in follower.config.items() if field != "opt_start_time"},
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": follower.done + 1,
    }
    await bus.api(
        f"CONSUMER.DURABLE.CREATE.{streams.LEDGER}.{name}",
        {"stream_name": streams.LEDGER, "config": config},
    )


async def _take_away(bus: Bus, stream: str) -> None:
    try:
        await bus.api(f"STREAM.DELETE.{stream}")
    except errors.JetStreamRefused as error:
        if error.details["err_code"] != ensuring.STREAM_NOT_FOUND:
            raise

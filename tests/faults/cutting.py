"""Faults of three servers: one is cut off from the others, or stands still."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Literal

from deploy.embedded import probes
from shared.streams import LEDGER
from tests.faults.proving import Look, Place, Proof, state_of
from tests.support.cut_cluster import CutCluster
from tests.support.frozen import frozen

Who = Literal["follower", "leader"]
"""Of the ledger."""


def cut_off(who: Who) -> Callable[[Place], AbstractAsyncContextManager[None]]:
    """All its routes are cut; whoever is connected to it stays so."""

    @contextlib.asynccontextmanager
    async def happens(place: Place) -> AsyncIterator[None]:
        cluster = _of(place)
        cluster.cut_off(await _chosen(cluster, who))
        try:
            yield
        finally:
            cluster.heal()

    return happens


@contextlib.asynccontextmanager
async def stands_still(place: Place) -> AsyncIterator[None]:
    """The leader of the ledger is frozen."""
    cluster = _of(place)
    with frozen(cluster.pid(await _chosen(cluster, "leader"))):
        yield


def without_the_others() -> Proof:
    """A server says that it does not find the others."""

    async def begin(place: Place) -> Look:
        async def look() -> bool:
            found = [await probes.http_get(each, "/healthz") for each in _of(place).monitor_urls]
            return any(status >= probes.HTTP_REFUSED for status, _ in found)

        return look

    return Proof("a server is without the others", begin)


def one_stands_still() -> Proof:
    async def begin(place: Place) -> Look:
        async def look() -> bool:
            cluster = _of(place)
            pids = [cluster.pid(index) for index in range(len(cluster.urls))]
            return any(pid is not None and state_of(pid) == "T" for pid in pids)

        return look

    return Proof("a server stands still", begin)


def _of(place: Place) -> CutCluster:
    assert place.cluster is not None, "such a fault is done to three servers"
    return place.cluster


async def _chosen(cluster: CutCluster, who: Who) -> int:
    leader = await cluster.leader_of(LEDGER)
    return leader if who == "leader" else (leader + 1) % len(cluster.urls)

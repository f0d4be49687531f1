"""LoRAs of workers on other machines: changed at all or at none, kept over a loss, and no reason to lose one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import pytest

from realtime.errors import EngineError, ModelError
from realtime.server.loras import Loras
from realtime.server.remote.worker_actor import WorkerActor
from tests.fakes.links import DirectLink
from tests.fakes.waiting import until
from tests.fakes.wearing import Wardrobe
from tests.server.remote.test_fleet import Guest, Machines

INK, ODD, SDXL, HEAVY = "ink.safetensors", "odd.safetensors", "sdxl.safetensors", "heavy.safetensors"


class Dressed:
    """Two machines, and the server's LoRAs."""

    def __init__(self) -> None:
        self.machines = Machines(loras=(f"{INK}:0.5",))
        self.wardrobes = {"a-0": Wardrobe(), "b-0": Wardrobe()}
        self.loras = Loras(self.machines.config, self.machines.placement)
        self.loras._named |= {"odd": ODD, "sdxl": SDXL, "heavy": HEAVY}
        self.loras._all_named = lambda: dict(self.loras._named)  # type: ignore[method-assign]

    async def add(self, name: str) -> None:
        self.machines.links[name] = DirectLink(WorkerActor("cpu", loader=lambda config: self.wardrobes[name]))
        await self.machines.see()
        await self.machines.until(lambda: self.machines.worker(name).host.life is not None)

    @property
    def worn(self) -> list[tuple[str, ...]]:
        return [wardrobe.engines[-1].worn[-1] for wardrobe in self.wardrobes.values() if wardrobe.engines]


@contextlib.asynccontextmanager
async def dressed(*names: str) -> AsyncGenerator[Dressed]:
    one = Dressed()
    one.machines.placement.start()
    running = asyncio.ensure_future(one.loras.run())
    try:
        for name in names:
            await one.add(name)
        yield one
    finally:
        running.cancel()
        await one.machines.placement.stop()
        for link in one.machines.links.values():
            await link.actor.end()


async def test_all_workers_wear_what_is_asked_for_and_none_is_lost() -> None:
    async with dressed("a-0", "b-0") as server:
        guest = Guest(server.machines, "s")
        await guest.restyle()
        await server.loras.change({"ink": 0.25, "odd": 1.0})
        for _ in range(3):
            await guest.restyle()
            await asyncio.sleep(0.3)  # a sign of life of either order comes
        lives = [worker.host.life for worker in server.machines.placement.workers]

        assert server.worn == [(f"{INK}:0.25", f"{ODD}:1.0")] * 2
        assert server.loras.notes == ("odd:1.0 is odd",)
        assert all(lives) and server.machines.told == []
        assert all(link.calls.count("begin") == 1 for link in server.machines.links.values())


@pytest.mark.parametrize(("name", "why"), [("sdxl", "made for another model"), ("heavy", "overflows")])
async def test_what_one_worker_refuses_is_worn_at_none(name: str, why: str) -> None:
    async with dressed("a-0", "b-0") as server:
        with pytest.raises(ModelError, match=why):
            await server.loras.change({name: 1.0})

        assert server.worn == [(f"{INK}:0.5",)] * 2
        assert server.loras.weights == {"ink": 0.5}


async def test_a_worker_that_joins_later_or_begins_anew_is_dressed() -> None:
    async with dressed("a-0") as server:
        await server.loras.change({"ink": 0.75})
        await server.add("b-0")
        await until(lambda: server.worn == [(f"{INK}:0.75",)] * 2)

        link = server.machines.links["a-0"]
        link.die()
        await server.machines.until(lambda: server.machines.worker("a-0").host.life is None)
        await link.actor.end()
        link.begin_anew(WorkerActor("cpu", loader=lambda config: server.wardrobes["a-0"]))
        await server.machines.until(lambda: server.machines.worker("a-0").host.life is not None)

        assert server.wardrobes["a-0"].engines[-1].worn == [(f"{INK}:0.75",)], "from the start"


async def test_without_a_worker_nothing_can_be_changed_and_it_is_said() -> None:
    async with dressed() as server:
        with pytest.raises(EngineError, match="no engine is ready"):
            await server.loras.change({"ink": 0.1})

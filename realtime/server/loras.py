"""The LoRAs of a server: one setting for all of its engines and sessions, changed while they run.

It outlives an engine, which is replaced by one that wears the same, and not the server, which starts with `--lora`.
Names are looked up among those that the operator has put there; no path comes from outside. Must not know weights, or
how an engine changes them. Event loop only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ..config import Config
from ..errors import EngineError, ModelError, ParamsError
from .engine_state import Changes, PutLoras, State
from .worker import Worker

log = logging.getLogger(__name__)

CHANGE_EVERY_S = 0.1
"""Interval at which weights change: what is asked for meanwhile, as by a slider that is dragged, is one change."""
TRY_AGAIN_S = 5.0
"""When an engine that does not take the LoRAs of the others is asked again."""
WORN_MAX = 16
WEIGHT_MAX = 10.0
"""Weights are within ± this."""
FOUND_MAX = 1000
"""Files of the folder that are looked at."""

Weights = Mapping[str, float]
"""LoRAs by name, in the order in which they are added."""


class Workers(Protocol):
    """All engines; see `Placement`."""

    @property
    def workers(self) -> Sequence[Worker]:
        """Each with the host that keeps its engine running."""
        ...

    @property
    def changed(self) -> asyncio.Event:
        """See `Changes.next`."""
        ...


@dataclass(slots=True, eq=False)
class _Wish:
    """Somebody's changes: a weight by name, None to take it off; and when they are in force."""

    changes: Mapping[str, float | None]
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Loras:
    """The LoRAs of all engines.

    Args:
        config: says which are worn at the start, and where others are.
        workers: whose engines wear them.

    Attributes:
        weights: of those in force.
        notes: what of them has no effect, or not at once, for the user.
    """

    def __init__(self, config: Config, workers: Workers) -> None:
        self._folder = config.lora_folder
        self._workers = workers
        self._named = _named(config.loras)
        self.weights: Weights = {name: _parsed(text)[1] for name, text in zip(self._named, config.loras, strict=True)}
        self.notes: tuple[str, ...] = ()
        self._start = config.loras  # as they were written, until something is changed
        self._asked: list[_Wish] = []
        self._bell = Changes()
        self._is_changing = False

    @property
    def is_changing(self) -> bool:
        """Whether something that was asked for is not in force yet."""
        return self._is_changing or bool(self._asked)

    @property
    def takes_loras(self) -> bool | None:
        """Whether the model takes any; None while no engine is ready."""
        lives = [worker.host.life for worker in self._workers.workers]
        return next((life.engine.info.takes_loras for life in lives if life is not None), None)

    async def available(self) -> list[str]:
        """The names of all that can be worn. Looks at the disk."""
        return sorted(await asyncio.to_thread(self._all_named))

    async def change(self, changes: Mapping[str, float | None]) -> None:
        """Change weights, add LoRAs (by giving them a weight) and take some off; returns when that is in force.

        Raises:
            ParamsError: a name is none that is available, or a weight is out of bounds; nothing has changed.
            ModelError, EngineError: an engine can't wear them, and why; nothing has changed.
        """
        for name, weight in changes.items():
            if weight is not None and not (math.isfinite(weight) and abs(weight) <= WEIGHT_MAX):
                raise ParamsError(f"{name[:64]}: a weight is a number from -{WEIGHT_MAX:g} to {WEIGHT_MAX:g}", name)
        if unknown := changes.keys() - self.weights.keys():
            known = await asyncio.to_thread(self._all_named)
            for name in sorted(unknown - known.keys()):
                where = "--lora and --lora-folder say which there are" if self._folder is None else "see its folder"
                raise ParamsError(f"there is no LoRA {name[:64]!r} here: {where}", name)
            self._named |= known
        asked = _Wish(changes)
        self._asked.append(asked)
        self._bell.tell()
        await asyncio.shield(asked.done)

    async def run(self) -> None:
        """Carry out what is asked for, and have engines that are new wear the same. Until it is cancelled."""
        while True:
            asked, changed = self._bell.next, self._workers.changed
            if self._asked:
                begun_s = time.monotonic()
                await self._carry_out()
                await asyncio.sleep(max(0.0, begun_s + CHANGE_EVERY_S - time.monotonic()))
                continue
            waits = [asyncio.ensure_future(event.wait()) for event in (asked, changed)]
            try:
                is_behind = not await self._keep_up()
                async with asyncio.timeout(TRY_AGAIN_S if is_behind else None):
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            except TimeoutError:
                pass
            finally:
                for wait in waits:
                    wait.cancel()

    async def _carry_out(self) -> None:
        """All that is asked for at once; one after the other where something of it can't be."""
        together, self._asked = self._asked, []
        self._is_changing = True
        try:
            try:
                await self._put(_changed(self.weights, together))
            except (ModelError, EngineError, ParamsError) as error:
                if len(together) == 1:
                    _end(together[0], error)
                    return
                for one in together:
                    try:
                        await self._put(_changed(self.weights, [one]))
                    except (ModelError, EngineError, ParamsError) as its_own:
                        _end(one, its_own)
        finally:
            self._is_changing = False
            for one in together:
                _end(one)

    async def _put(self, weights: Weights) -> None:
        """Have these in force at all engines, or none of them at any."""
        if len(weights) > WORN_MAX:
            raise ParamsError(f"{WORN_MAX} LoRAs at most: take one off first", "loras")
        texts = self._texts(weights)
        hosts = [worker.host for worker in self._workers.workers if worker.host.state is State.READY]
        if not hosts:
            raise EngineError("no engine is ready: try again when one is")
        ready: list[PutLoras] = await _all(host.ready_loras(texts) for host in hosts)
        try:
            await _all(one.put() for one in ready)
        except (ModelError, EngineError):
            await self._keep_up()
            raise
        self.weights, self._start = weights, None
        self.notes = tuple(dict.fromkeys(note for one in ready for note in one.notes))

    async def _keep_up(self) -> bool:
        """Have engines that are new wear what the others do. Returns whether all do."""
        texts, is_even = self._texts(self.weights), True
        for worker in self._workers.workers:
            host = worker.host
            if host.state is not State.READY or host.loras == texts:
                continue
            try:
                await (await host.ready_loras(texts)).put()
            except (ModelError, EngineError) as error:
                is_even = False
                log.warning("engine %s does not wear the LoRAs of the server: %s", worker.name, error)
        return is_even

    def _texts(self, weights: Weights) -> tuple[str, ...]:
        """As `--lora` has them."""
        if self._start is not None and weights is self.weights:
            return self._start
        return tuple(f"{self._named[name]}:{weight!r}" for name, weight in weights.items())

    def _all_named(self) -> dict[str, str]:
        """All that can be worn: what `--lora` has for each, without a scale, by name."""
        from ..engine.models.presets import cached_loras

        known, places = dict(self._named), {Path(text).resolve() for text in self._named.values()}
        for name in cached_loras():
            known.setdefault(name, name)
        for path in _files(self._folder) if self._folder is not None else ():
            if path.resolve() not in places:
                _add(known, path.relative_to(self._folder or "").with_suffix("").as_posix(), str(path))
        return known


def as_changes(body: Mapping[str, Any]) -> dict[str, float | None]:
    """What a client asks for: `{"loras": {"ink": 0.7, "old": null}}`. Raises ParamsError."""
    loras = body.get("loras")
    if not isinstance(loras, dict):
        raise ParamsError('the body must be {"loras": {NAME: WEIGHT, …}}; null takes one off', "loras")
    changes: dict[str, float | None] = {}
    for name, weight in loras.items():  # pyright: ignore[reportUnknownVariableType]
        if isinstance(weight, bool) or not (weight is None or isinstance(weight, int | float)):
            raise ParamsError(f"{str(name)[:64]}: a weight is a number, or null to take it off", str(name))  # pyright: ignore[reportUnknownArgumentType]
        changes[str(name)] = None if weight is None else float(weight)  # pyright: ignore[reportUnknownArgumentType]
    return changes


async def _all(calls: Any) -> list[Any]:
    """The results of all, once all have ended. Raises the first error."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for one in results:
        if isinstance(one, BaseException):
            raise one
    return results


def _changed(weights: Weights, asked: Sequence[_Wish]) -> Weights:
    merged = dict(weights)
    for one in asked:
        for name, weight in one.changes.items():
            if weight is None:
                merged.pop(name, None)
            else:
                merged[name] = weight
    return merged


def _end(asked: _Wish, error: Exception | None = None) -> None:
    if asked.done.done():
        return
    if error is None:
        asked.done.set_result(None)
    else:
        asked.done.set_exception(error)


def _named(texts: Sequence[str]) -> dict[str, str]:
    """What `--lora` was given, without scales, each by a name of its own."""
    named: dict[str, str] = {}
    for text in texts:
        place = _parsed(text)[0]
        _add(named, Path(place).stem if place.endswith(".safetensors") else place, place)
    return named


def _parsed(text: str) -> tuple[str, float]:
    from ..engine.models.lora_spec import parse_lora

    spec = parse_lora(text)
    return spec.name, spec.scale


def _add(named: dict[str, str], name: str, place: str) -> None:
    number = 2
    own = name
    while own in named:
        own, number = f"{name}-{number}", number + 1
    named[own] = place


def _files(folder: Path) -> list[Path]:
    """The `.safetensors` files in a folder and those in it, sorted; those whose names can't be read are left out."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.expanduser().glob("**/*.safetensors")):
            if path.is_file() and str(path).isprintable():
                found.append(path)
            if len(found) == FOUND_MAX:
                log.warning("%s has more than %d LoRAs: the others are left out", folder, FOUND_MAX)
                break
    return found

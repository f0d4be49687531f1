"""The rung `aoti`: packages of compiled regions, loaded from a disk cache, and built where they are missing.

Must not know how a package is compiled, keyed or loaded (`aoti`), or which calls are wanted (`specialise`).
"""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..regions import Regions, Run
from ..state import VariantState
from . import aoti
from .builder import Task
from .compile import CompiledBackend, CompiledRegions, check
from .folder_cache import FolderCache, cache_folder
from .graphs import captured
from .rung import Rung, Start, capability_of
from .specialise import Demand, Signature, made, specialise
from .toolchain import packages_obstacle

if TYPE_CHECKING:
    import torch
    from torch import nn

    from .. import Progress
    from ..models.load import Model

_log = logging.getLogger(__name__)

MAX_BYTES = 2 * 2**30
"""Default limit of the cache. A package has code and no weights: 2 to 30 MB."""

PACKAGE, DIGEST = "package.pt2", "digest"


class PackageCache:
    """Packages on disk by key, each with a checksum.

    Args:
        folder: of all packages.
        max_bytes: see `FolderCache`.
    """

    def __init__(self, folder: Path, max_bytes: int = MAX_BYTES) -> None:
        self._folders = FolderCache(folder, max_bytes=max_bytes)

    def find(self, key: str) -> Path | None:
        """The package file of this key; None where there is none.

        One whose checksum is wrong is deleted: loading it could crash the process.
        """
        if (kept := self._folders.find(key)) is None:
            return None
        try:
            if (kept / DIGEST).read_text() == _digest(kept / PACKAGE):
                return kept / PACKAGE
            _log.warning("the compiled package %s is damaged: it is thrown away", kept)
        except FileNotFoundError:
            _log.warning("the compiled package %s is incomplete: it is thrown away", kept)
        self.drop(key)
        return None

    def drop(self, key: str) -> None:
        """Delete a package."""
        self._folders.drop(key)

    def make(self, key: str, write: Callable[[Path], None]) -> Path:
        """Add a package.

        Args:
            write: writes the file whose path it is called with.

        Returns:
            The package file.

        Raises:
            OSError: the folder can't be written.
        """

        def fill(folder: Path) -> None:
            write(folder / PACKAGE)
            (folder / DIGEST).write_text(_digest(folder / PACKAGE))

        return self._folders.make(key, fill) / PACKAGE


class Packages:
    """Implements `Specialiser`: packages of the regions of a model.

    Args:
        regions: `take` puts loaded packages into them.
        dtype: of the networks.
        revision: of the networks' weights, which may change while a package is compared with them.
        variants: names of those that the regions have.
    """

    def __init__(
        self,
        regions: CompiledRegions,
        device: torch.device,
        dtype: torch.dtype,
        revision: Callable[[], int] = lambda: 0,
        variants: Sequence[str] = (),
    ) -> None:
        self._regions, self._device, self._dtype = regions, device, dtype
        self._revision, self._variants = revision, list(variants)
        self._cache = PackageCache(cache_folder(self.name))
        # One serves several signatures of a region; nets of one form have one file, and each its own weights.
        self._loaded: dict[tuple[str, nn.Module], Run] = {}

    @property
    def name(self) -> str:
        """See `Specialiser`."""
        return AOTI.name

    @property
    def demand(self) -> Demand:
        """See `Specialiser`."""
        return self._regions.demand

    def has(self, signature: Signature) -> bool:
        """See `Specialiser`: True if the package is in the cache, or was taken by this process."""
        return signature in self._regions or self._cache.find(self._key(signature)) is not None

    def task(self, signatures: Sequence[Signature]) -> Task:
        """See `Specialiser`."""
        wires = [signature.wire() for signature in signatures]
        return Task(build, {"signatures": wires, "variants": self._variants})

    def keep(self, signature: Signature) -> None:
        """See `Specialiser`: the task has put it into the cache already."""

    def take(self, signature: Signature) -> bool:
        """See `Specialiser`: a package that can't be loaded, or whose results are wrong, is deleted."""
        if signature in self._regions:
            return True
        key = self._key(signature)
        region = self._regions.module(signature)
        revision = self._revision()
        try:
            if (call := self._loaded.get((key, region))) is None:
                if (path := self._cache.find(key)) is None:
                    return False
                call = aoti.load(path, region)
            check(call, region, signature.example(self._device), self._dtype)
        except RuntimeError as error:
            if self._revision() != revision:
                return self.take(signature)
            _log.warning("the compiled package for %s is thrown away: %s", signature, error)
            self._cache.drop(key)
            self._loaded.pop((key, region), None)
            return False
        self._loaded[key, region] = call
        self._regions.put(signature, call)
        _log.info("compiled now: %s", signature)
        return True

    def _key(self, signature: Signature) -> str:
        return aoti.key_of(self._regions.module(signature), signature.example(self._device))


def build(
    model: Model, signatures: Sequence[Mapping[str, Any]], variants: Sequence[str] = ()
) -> Iterable[Mapping[str, Any]]:
    """A builder's task: compile the packages that are not in the cache.

    Args:
        signatures: as `Signature.wire` gives them.
        variants: names of those that the regions are to have.

    Yields:
        `made(signature)` for each.
    """
    varied = replace(model, variants=tuple(VariantState(name, is_on=True) for name in variants))
    cache, regions = PackageCache(cache_folder(AOTI.name)), Regions.of_model(varied)
    for signature in map(Signature.parse, signatures):
        region, example = regions.region_for(signature.call), signature.example(model.device)
        key = aoti.key_of(region, example)
        if cache.find(key) is None:
            cache.make(key, functools.partial(aoti.build, region, example))
        yield made(signature)


def _start(model: Model, max_rows: int, progress: Progress, *, may_wait: bool, avoided: Collection[str]) -> Start:
    """See `Starter`: eager mode runs the calls that have no package yet. On CUDA both are captured in graphs."""
    backend = CompiledBackend(model, AOTI.name, f"{AOTI.name} on {model.device.type}")
    loras = model.loras
    revision = (lambda: 0) if loras is None else (lambda: loras.weights.revision)
    variants = [one.name for one in model.variants if one.is_on]
    packages = Packages(backend.compiled, model.device, model.dtype, revision, variants)
    return Start(captured(backend, model, max_rows, avoided), upgrade=functools.partial(specialise, packages))


def _obstacle(model: Model) -> str:
    return packages_obstacle(model.device.type, capability_of(model.device))


AOTI = Rung("aoti", ("cpu", "cuda"), ("cuda",), _start, _obstacle, takes_variants=True)
"""AOTInductor's packages. Chosen by `auto` on CUDA only: on a CPU OpenVINO is faster, and made in seconds."""


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()

"""Models on the hub: ids, the local cache, downloads with progress, and their failures in one line each.

A model in the cache is used without a request to the hub. huggingface_hub reads `HF_HOME`, `HF_HUB_CACHE`,
`HF_HUB_OFFLINE` and `HF_TOKEN`. Must not import torch, nor know what is inside the files.
"""

from __future__ import annotations

import errno
import glob
import io
import re
import threading
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ModelError
from .files import list_files

if TYPE_CHECKING:
    from .. import Progress

_ID = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})((?:/[\w.-]+)*)(?:@([\w.-]{1,100}))?", re.ASCII)

_DEPTH = 5
"""Levels of folders that a repository's files are looked for in."""

Choose = Callable[[Collection[str]], Collection[str]]
"""Chooses the needed files from the names of all files in a repository; raises ModelError where some are missing."""


@dataclass(frozen=True, slots=True)
class HubId:
    """A model on the hub.

    Attributes:
        repo: `org/name`.
        file: a file in it, or None for the repository as a whole.
        revision: branch, tag or commit; None is the default branch.
    """

    repo: str
    file: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        return self.repo + (f"/{self.file}" if self.file else "") + (f"@{self.revision}" if self.revision else "")


def parse_hub_id(text: str) -> HubId | None:
    """Parse `org/name[/file.safetensors][@revision]`; None where the text has another form."""
    match = _ID.fullmatch(text)
    if match is None or ".." in text or (match[2] and not match[2].endswith(".safetensors")):
        return None
    if match[1].endswith(".safetensors"):  # folder/file.safetensors: a path, mistyped or gone
        return None
    return HubId(match[1], match[2].lstrip("/") or None, match[3])


def cached_folder(hub_id: HubId) -> Path | None:
    """The cache's folder of a repository, complete or not; None where there is none."""
    from huggingface_hub import constants

    repo = Path(constants.HF_HUB_CACHE).expanduser() / f"models--{hub_id.repo.replace('/', '--')}"
    revision = hub_id.revision or constants.DEFAULT_REVISION
    try:
        commit = (repo / "refs" / revision).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        commit = revision
    snapshot = repo / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def find_cached(hub_id: HubId, choose: Choose) -> Path | None:
    """The cached folder of a repository if it has all files that `choose` needs; None otherwise."""
    folder = cached_folder(hub_id)
    if folder is None:
        return None
    try:
        choose(list_files(folder, _DEPTH))
    except ModelError:
        return None
    return folder


def fetch(hub_id: HubId, choose: Choose, progress: Progress) -> Path:
    """Get the needed files of a repository from the cache, or download them.

    Args:
        choose: which files are needed.
        progress: called with the percentage of bytes.

    Returns:
        A folder with at least these files.

    Raises:
        ModelError: offline and not in the cache, not on the hub, not accessible, or no space left.
    """
    if folder := find_cached(hub_id, choose):
        return folder
    from huggingface_hub import HfApi, constants, snapshot_download

    if constants.HF_HUB_OFFLINE:
        raise ModelError(f"{hub_id} is not in the local cache and HF_HUB_OFFLINE is set: unset it to download it")
    stage = f"downloading {hub_id.repo}"
    progress(stage, None)
    with _one_line(hub_id):
        info = HfApi().model_info(hub_id.repo, revision=hub_id.revision, files_metadata=True)
        sizes = {file.rfilename: file.size or 0 for file in info.siblings or ()}
        try:
            wanted = choose(sizes)
        except ModelError as error:
            raise ModelError(f"{hub_id}: {error}") from None
        total = sum(sizes[name] for name in wanted)
        folder = snapshot_download(
            hub_id.repo,
            revision=hub_id.revision,
            allow_patterns=[glob.escape(name) for name in wanted],
            tqdm_class=forwarding_tqdm(total, lambda percent: progress(stage, percent)),
        )
    return Path(folder)


def forwarding_tqdm(total_bytes: int, report: Callable[[float], None]) -> Any:
    """A tqdm class for `snapshot_download` that prints nothing and reports a percentage of bytes that never falls.

    The hub makes a bar for bytes fetched, one for bytes written and one for files, whose totals grow while it works:
    so the percentage is of `total_bytes`.

    Args:
        total_bytes: of all files that are downloaded.
        report: called with the percentage, in whole numbers.
    """
    from tqdm import tqdm

    best = -1
    lock = threading.Lock()  # the hub updates one bar from several threads

    class ForwardingTqdm(tqdm):  # pyright: ignore
        monitor_interval = 0

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "file": io.StringIO(), "disable": False})

        def display(self, *args: Any, **kwargs: Any) -> None:
            pass

        def update(self, n: float | None = 1) -> bool | None:
            nonlocal best
            with lock:
                shown = super().update(n or 0)
                if self.unit == "B" and total_bytes:
                    percent = min(100, int(100 * self.n / total_bytes))
                    if percent > best:
                        best = percent
                        report(float(percent))
            return shown

    return ForwardingTqdm


@contextmanager
def _one_line(hub_id: HubId) -> Generator[None]:
    from huggingface_hub import constants, errors

    try:
        yield
    except errors.GatedRepoError:
        raise ModelError(
            f"{hub_id.repo} is gated: accept its terms on its page of the hub, then set HF_TOKEN to your access token"
        ) from None
    except errors.RepositoryNotFoundError:
        raise ModelError(f"there is no {hub_id.repo} on the hub, or it is private and HF_TOKEN is not set") from None
    except errors.RevisionNotFoundError:
        raise ModelError(f"{hub_id.repo} has no revision {hub_id.revision!r}: check what is behind its @") from None
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError):
        raise _unreachable(hub_id) from None
    except errors.HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "an error")
        raise ModelError(f"{hub_id.repo}: the hub answered {status}: try again later, or check HF_TOKEN") from None
    except (errors.HTTPError, TimeoutError, ConnectionError):  # pyright: ignore[reportPrivateImportUsage]
        raise _unreachable(hub_id) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ModelError(
                f"no room for {hub_id.repo} in {constants.HF_HUB_CACHE}: free some, or set HF_HUB_CACHE to another disk"
            ) from None
        raise ModelError(
            f"{hub_id.repo}: can't be stored in {constants.HF_HUB_CACHE} ({error.strerror}): set HF_HUB_CACHE to "
            "another folder"
        ) from None
    except errors.HFValidationError:
        raise ModelError(f"the hub has no models of such names as {hub_id}: check it") from None


def _unreachable(hub_id: HubId) -> ModelError:
    return ModelError(f"{hub_id} is not in the local cache and the hub can't be reached: check the network")

"""`/api/workers`: the engines of a server, for whoever operates it.

Must not know how sessions move.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request

from .placement import NotNow, Placement
from .service import Service
from .worker import Worker

router = APIRouter()


async def placement_of(request: Request) -> Placement:
    """The server's workers."""
    service: Service = request.app.state.service
    return service.host


PlacementOf = Annotated[Placement, Depends(placement_of)]


async def worker_of_path(worker: str, placement: PlacementOf) -> Worker:
    """The worker that the path names, or 404."""
    found = next((one for one in placement.workers if one.name == worker), None)
    if found is None:
        raise HTTPException(404, f"there is no worker {worker[:32]!r}: /api/workers lists all")
    return found


WorkerOf = Annotated[Worker, Depends(worker_of_path)]


def _view(worker: Worker, placement: Placement) -> dict[str, Any]:
    life = worker.host.life
    return {
        "worker": worker.number,
        "name": worker.name,
        "device": worker.device,
        "state": "spare" if worker in placement.spares else worker.state,
        "reason": worker.reason,
        "sessions": len(placement.sessions_at(worker)),
        "rows": worker.jobs,
        "capacity_fps": round(life.scheduler.rate_with([life.defaults]), 1) if life is not None else 0.0,
        "rung": str(life.engine.info.rung) if life is not None else None,
    }


@router.get("/api/workers", summary="The engines")
async def get_workers(placement: PlacementOf) -> dict[str, Any]:
    """All engines: device, state, sessions, and the pictures a second that everyone there could have with one more."""
    return {"workers": [_view(worker, placement) for worker in placement.workers]}


@router.post("/api/workers/{worker}/drain", summary="Take an engine out of service")
async def drain_worker(worker: WorkerOf, placement: PlacementOf) -> dict[str, Any]:
    """Its sessions go on at others, then it is closed; answered when that is done. 409 where no other is ready."""
    try:
        await placement.drain(worker)
    except NotNow as error:
        raise HTTPException(409, str(error)) from None
    return _view(worker, placement)


@router.post("/api/workers/{worker}/start", summary="Put an engine into service again")
async def start_worker(worker: WorkerOf, placement: PlacementOf) -> dict[str, Any]:
    """Load one that was drained or has failed. 409 where it is neither."""
    try:
        placement.start_again(worker)
    except NotNow as error:
        raise HTTPException(409, str(error)) from None
    return _view(worker, placement)

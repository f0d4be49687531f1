"""`/api/loras`: the LoRAs of a server, for whoever operates it.

Must not know engines, or how weights change.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse

from .. import protocol
from ..errors import EngineError, ModelError, ParamsError, ProtocolError
from .body import read_body
from .loras import Loras, as_changes
from .service import Service

router = APIRouter()


async def loras_of(request: Request) -> Loras:
    """The server's LoRAs."""
    service: Service = request.app.state.service
    return service.loras


LorasOf = Annotated[Loras, Depends(loras_of)]


@router.get("/api/loras", summary="The LoRAs in force")
async def get_loras(loras: LorasOf) -> dict[str, Any]:
    """Their weights, in the order in which they are added; and which others can be added."""
    return {
        "takes_loras": loras.takes_loras,
        "loras": [{"name": name, "weight": weight} for name, weight in loras.weights.items()],
        "available": await loras.available(),
        "changing": loras.is_changing,
        "notes": list(loras.notes),
    }


@router.patch("/api/loras", summary="Change LoRAs while frames flow")
async def patch_loras(loras: LorasOf, request: Request) -> Any:
    """Body: `{"loras": {NAME: WEIGHT, …}}`; a weight adds one that is not there, null takes one off. Answered when it
    is in force at all engines; 422 where one can't be worn, and then nothing has changed.
    """
    try:
        body = protocol.parse_object(await read_body(request, protocol.TEXT_MAX_BYTES))
        await loras.change(as_changes(body))
    except ProtocolError as error:
        raise HTTPException(400, str(error)) from None
    except ParamsError as error:
        return JSONResponse({"detail": str(error), "code": "invalid_params", "field": error.field}, 422)
    except ModelError as error:
        return JSONResponse({"detail": str(error), "code": "invalid_lora"}, 422)
    except EngineError as error:
        raise HTTPException(503, str(error)) from None
    return await get_loras(loras)

"""A request's body, read up to a limit."""

from __future__ import annotations

import asyncio

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODY_TIMEOUT_S = 10.0


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413, as soon as it is longer than it may be; 408, if it is not here within `BODY_TIMEOUT_S`; 400,
            which nobody hears, if the client has left.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise HTTPException(413, f"the body may have {most_bytes} bytes: shorten it")
    except ClientDisconnect:
        raise HTTPException(400, "the body is not whole") from None
    except TimeoutError:
        raise HTTPException(408, f"the body must be here within {BODY_TIMEOUT_S:g} s") from None
    return bytes(body)

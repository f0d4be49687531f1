"""A request's body, read up to a limit."""

from __future__ import annotations

from fastapi import HTTPException, Request


async def read_body(request: Request, most_bytes: int) -> bytes:
    """The whole body.

    Raises:
        HTTPException: 413, as soon as it is longer than it may be.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise HTTPException(413, f"the body may have {most_bytes} bytes")
    return body

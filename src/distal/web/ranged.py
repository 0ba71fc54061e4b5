"""Bytes to be had in parts, as readers of bigWig files ask for them (RFC 9110, section 14); knows no format."""

from __future__ import annotations

import re

from fastapi import Request, Response

_RANGE = re.compile(r"bytes=(?P<first>[0-9]{0,15})-(?P<last>[0-9]{0,15})")


def ranged(request: Request, content: bytes, media: str, headers: dict[str, str] | None = None) -> Response:
    """`content`, or the one part of it that the request asks for; what is not one range is answered as a whole.

    206 with the part, 416 for a part that lies behind the end, 200 with everything else.
    """
    more = {"Accept-Ranges": "bytes", "Cache-Control": "no-cache", **(headers or {})}
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if asked is None or not (asked["first"] or asked["last"]):
        return Response(content, media_type=media, headers=more)
    size = len(content)
    if asked["first"]:
        first, last = int(asked["first"]), min(int(asked["last"] or size - 1), size - 1)
        if asked["last"] and int(asked["last"]) < int(asked["first"]):
            return Response(content, media_type=media, headers=more)
    else:
        first, last = max(0, size - int(asked["last"])), size - 1
    if first >= size or last < first:
        return Response(status_code=416, headers={**more, "Content-Range": f"bytes */{size}"})
    part = content[first : last + 1]
    return Response(part, 206, {**more, "Content-Range": f"bytes {first}-{last}/{size}"}, media)

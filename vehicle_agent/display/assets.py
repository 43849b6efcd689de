"""The page's own files: HTML, style, scripts, fonts and texts, served from this machine only (no CDN in a vehicle)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from starlette.responses import Response

from vehicle_agent import texts
from vehicle_agent.web import FONTS

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


class Assets:
    """A closed list of files made at start: a name that is not in it does not exist, so no path can lead elsewhere."""

    def __init__(self, px_per_mm: float) -> None:
        self._theme = f":root {{ --mm: {px_per_mm:g}px; }}\n".encode()
        self._files = {
            file.relative_to(STATIC).as_posix(): file
            for file in sorted(STATIC.rglob("*"))
            if file.is_file() and file.suffix in TYPES
        }
        self._files |= {f"fonts/{file.name}": file for file in FONTS.glob("*.woff2")}
        self._files |= {f"texts/{language}.json": texts.FOLDER / f"{language}.json" for language in texts.LANGUAGES}

    def response(self, name: str, headers: Mapping[str, str]) -> Response:
        """The file `name`; 304 when the browser has these bytes; 404 when it is not in the list."""
        if name == "theme.css":
            data, media_type = self._theme, TYPES[".css"]
        elif name in self._files:
            data, media_type = self._files[name].read_bytes(), TYPES[self._files[name].suffix]
        else:
            return Response('{"error": "not_found"}', 404, media_type="application/json")
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        fresh = {"ETag": tag, "Cache-Control": "no-cache"}  # always asked again: a page of the last version misleads
        if headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=fresh)
        return Response(data, media_type=media_type, headers=fresh)

"""The page's own files: HTML, style, scripts, fonts and texts, all from this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import Response

from vehicle_agent import texts
from vehicle_agent.web import FONTS

STATIC = Path(__file__).parent / "static"
TEXTS = Path(__file__).parent / "texts"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".json": "application/json",
}


class Assets:
    """A closed list of files read at start: a name that is not in it does not exist, so no path can lead elsewhere."""

    def __init__(self) -> None:
        self._files = {file.name: file.read_bytes() for file in sorted(STATIC.iterdir()) if file.suffix in TYPES}
        self._files |= {f"fonts/{file.name}": file.read_bytes() for file in sorted(FONTS.glob("*.woff2"))}
        self._files |= {f"texts/{language}.json": _catalogue(language) for language in texts.LANGUAGES}

    def response(self, name: str, headers: Mapping[str, str]) -> Response:
        """The file `name`; 304 when the browser has these bytes; 404 when it is not in the list."""
        data = self._files.get(name)
        if data is None:
            return Response('{"error": "not_found"}', 404, media_type="application/json")
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        fresh = {"ETag": tag, "Cache-Control": "no-cache"}  # always asked again: a page of the last version misleads
        if headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=fresh)
        return Response(data, media_type=TYPES[Path(name).suffix], headers=fresh)


def catalogue(language: str) -> dict[str, Any]:
    """All words of the desk's page: the shared ones, with the desk's own under `desk`."""
    own = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    shared = texts.load()[language]
    return {**shared, "desk": {**shared.get("desk", {}), **own}}


def _catalogue(language: str) -> bytes:
    return json.dumps(catalogue(language), ensure_ascii=False, separators=(",", ":")).encode()

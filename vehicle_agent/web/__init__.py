"""What the cab display and the desk share of the web: the guard in front of both, and one set of Kazakh letters."""

from pathlib import Path

FONTS = Path(__file__).parent / "fonts"

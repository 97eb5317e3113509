"""The app's two icons, drawn here: a speech bubble that holds a record.

Teams' sizes: colour 192x192 without transparency, outline 32x32 in white on nothing ("App icons", Teams docs).
"""

import struct
import zlib
from collections.abc import Callable
from functools import cache
from typing import Final

Shape = Callable[[float, float], float]
"""Signed distance to an edge in units of the icon's side; negative inside."""
Pixel = tuple[int, int, int, int]

TEAL: Final = (11, 110, 110)
WHITE: Final = (255, 255, 255)
_LINES: Final = ((0.36, 0.27, 0.50), (0.48, 0.27, 0.73), (0.60, 0.27, 0.64))
"""(y, left, right) of the record's lines."""


@cache
def color_icon() -> bytes:
    """PNG: white bubble, teal lines, on teal."""

    def pixel(x: float, y: float, unit: float) -> Pixel:
        bubble, lines = _cover(_bubble(x, y), unit), _cover(_record(x, y), unit)
        return (*_mix(_mix(TEAL, WHITE, bubble), TEAL, lines), 255)

    return _png(192, pixel)


@cache
def outline_icon() -> bytes:
    """PNG: the bubble's edge and lines, white on transparent."""

    def pixel(x: float, y: float, unit: float) -> Pixel:
        edge = abs(_bubble(x, y)) - 0.03
        return (*WHITE, round(255 * max(_cover(edge, unit), _cover(_record(x, y), unit))))

    return _png(32, pixel)


def _bubble(x: float, y: float) -> float:
    return min(_box(x, y, 0.5, 0.46, 0.34, 0.26, 0.09), _tail(x, y))


def _record(x: float, y: float) -> float:
    return min(_box(x, y, (left + right) / 2, at, (right - left) / 2, 0.032, 0.032) for at, left, right in _LINES)


def _box(x: float, y: float, cx: float, cy: float, w: float, h: float, radius: float) -> float:
    dx, dy = abs(x - cx) - w + radius, abs(y - cy) - h + radius
    outside = (max(dx, 0) ** 2 + max(dy, 0) ** 2) ** 0.5
    return float(outside + min(max(dx, dy), 0) - radius)


def _tail(x: float, y: float) -> float:
    # A right triangle below the bubble's left part: (0.30, 0.70) (0.50, 0.70) (0.30, 0.87).
    return max(0.30 - x, 0.70 - y, (0.17 * (x - 0.30) + 0.20 * (y - 0.70) - 0.034) / 0.2625)


def _cover(distance: float, unit: float) -> float:
    return min(max(0.5 - distance / unit, 0.0), 1.0)


def _mix(below: tuple[int, int, int], above: tuple[int, int, int], cover: float) -> tuple[int, int, int]:
    red, green, blue = (round(b + (a - b) * cover) for b, a in zip(below, above, strict=True))
    return red, green, blue


def _png(side: int, pixel: Callable[[float, float, float], Pixel]) -> bytes:
    unit = 1 / side
    rows = b"".join(
        b"\x00" + b"".join(bytes(pixel((x + 0.5) * unit, (y + 0.5) * unit, unit)) for x in range(side))
        for y in range(side)
    )
    header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )

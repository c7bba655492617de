"""Columns of numbers as few bytes: what a day of one series takes on disk.

Moments grow and numbers move little, and a number that is published has few decimal places. So
each column is scaled to integers where that loses nothing, differences are taken, equal bytes of
all of them are put side by side, and zlib does the rest. Twenty bytes a value become one to three.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

Values = Sequence[float | None]

_FORMAT: Final = 1
_HEAD: Final = struct.Struct("<BBI")
_COLUMN: Final = struct.Struct("<bI")
_MOST_PLACES: Final = 3
_EXACT: Final = 1 << 53  # integers up to here are exact in a float
_AS_THEY_ARE: Final = -1
_LARGEST: Final = 64 << 20  # bytes that one block may become; a day of one series has below 2 MiB


def pack(times: Sequence[int], columns: Sequence[Values]) -> bytes:
    """Moments, not falling, and for each of them one value of each column.

    Args:
        times: whole numbers of whatever the caller counts in, below 2^62.
        columns: as long as ``times`` each; ``None`` is "not known".
    """
    parts = [_HEAD.pack(_FORMAT, len(columns), len(times)), _integers(times)]
    for column in columns:
        known = [value for value in column if value is not None]
        places = _places(known)
        absent = [index for index, value in enumerate(column) if value is None]
        parts += [_COLUMN.pack(places, len(absent)), _integers(absent)]
        if places == _AS_THEY_ARE:
            parts.append(_shuffled(array("d", known)))
        else:
            parts.append(_integers([round(value * 10**places) for value in known]))
    return zlib.compress(b"".join(parts), 6)


def unpack(data: bytes) -> tuple[list[int], list[list[float | None]]]:
    """What ``pack`` was given.

    Raises:
        ValueError: these are no such bytes.
    """
    try:
        opener = zlib.decompressobj()
        raw = opener.decompress(data, _LARGEST)
        form, width, count = _HEAD.unpack_from(raw)
        if form != _FORMAT or not opener.eof:
            raise ValueError("a block of the archive is of another kind")  # as all that is no block
        at = _HEAD.size
        times = _read_integers(raw, at, count)
        at += 8 * count
        columns = []
        for _ in range(width):
            places, missing = _COLUMN.unpack_from(raw, at)
            at += _COLUMN.size
            absent = _read_integers(raw, at, missing)
            at += 8 * missing
            known = iter(_read_column(raw, at, count - missing, places))
            at += 8 * (count - missing)
            left_out = set(absent)
            column = [None if index in left_out else next(known) for index in range(count)]
            columns.append(column)
    except (zlib.error, struct.error, StopIteration) as error:
        raise ValueError("a block of the archive is damaged") from error
    return times, columns


def _places(values: Sequence[float]) -> int:
    """How many decimal places all of them have; ``_AS_THEY_ARE`` where that is no answer."""
    for places in range(_MOST_PLACES + 1):
        factor = 10**places
        if all(
            abs(value) * factor < _EXACT and round(value * factor) / factor == value
            for value in values
        ):
            return places
    return _AS_THEY_ARE


def _integers(values: Sequence[int]) -> bytes:
    """Differences of the differences would be smaller still for moments, but no clock is even."""
    if not values:
        return b""
    return _shuffled(
        array("q", [values[0], *(after - before for before, after in pairwise(values))])
    )


def _shuffled(numbers: array[int] | array[float]) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    raw = numbers.tobytes()
    return b"".join(raw[plane::8] for plane in range(8))


def _unshuffled(raw: bytes, at: int, count: int, code: str) -> array[int] | array[float]:
    if count < 0 or at + 8 * count > len(raw):
        raise ValueError("a block of the archive is damaged")
    whole = bytearray(8 * count)
    for plane in range(8):
        whole[plane::8] = raw[at + plane * count : at + (plane + 1) * count]
    numbers: array[int] | array[float] = array(code, bytes(whole))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _read_integers(raw: bytes, at: int, count: int) -> list[int]:
    return list(accumulate(int(number) for number in _unshuffled(raw, at, count, "q")))


def _read_column(raw: bytes, at: int, count: int, places: int) -> list[float | None]:
    if places == _AS_THEY_ARE:
        return [
            value if math.isfinite(value) else None for value in _unshuffled(raw, at, count, "d")
        ]
    factor = 10**places
    return [number / factor if places else number for number in _read_integers(raw, at, count)]

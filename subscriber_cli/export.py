"""Values of an archive for other programs: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import fnmatch
import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TextIO

from publisher.contract import past, topics
from publisher.contract.metric import Kind
from publisher.contract.payload import rfc3339
from publisher.errors import ConfigError, FanwhyError
from subscriber_cli.archive.reader import Archive, ArchivedHost, ArchivedSeries
from subscriber_cli.model.values import clean
from subscriber_cli.render.drawing import Curve

COLUMNS: Final = ("host", "metric", "unit", "begin", "end", "low", "mean", "high")
_MOST_CURVES: Final = 12
_FONTS: Final = (
    "Noto Sans", "DejaVu Sans", "Liberation Sans", "Ubuntu", "Cantarell", "Roboto", "Open Sans",
    "Nimbus Sans", "FreeSans", "Segoe UI", "Helvetica", "Arial", "Noto Sans Mono",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which values are asked for.

    Attributes:
        hosts: of whom.
        metrics: names, or patterns such as ``disk/*``; empty: what is always measured.
        begin: in seconds since the epoch; likewise ``end``.
        step: seconds of one row; 0: every value that is kept.
    """

    hosts: Sequence[ArchivedHost]
    metrics: Sequence[str]
    begin: float
    end: float
    step: float


def series_of(archive: Archive, host: ArchivedHost, metrics: Sequence[str]) -> list[ArchivedSeries]:
    """The series that fit names or patterns; without any, those that every host has.

    Raises:
        ConfigError: a name fits nothing.
    """
    known = archive.series(host)
    if not metrics:
        order = list(past.MEASURED)
        own = [each for each in known if each.topic == topics.TIMELINE]
        return sorted(own, key=lambda each: order.index(each.path) if each.path in order else 99)
    found: list[ArchivedSeries] = []
    for pattern in metrics:
        fits = [each for each in known if fnmatch.fnmatchcase(each.name, pattern)]
        if not fits:
            names = [each.name for each in known]
            near = get_close_matches(pattern, names, n=3, cutoff=0.4)
            hint = f"; near are {', '.join(map(clean, near))}" if near else ""
            raise ConfigError(f"--metric: {clean(host.name)} has no {clean(pattern)!r}{hint}")
        found += [each for each in fits if each not in found]
    return found


def curves(
    archive: Archive, host: ArchivedHost, metrics: Sequence[str], span: tuple[float, float]
) -> list[Curve]:
    """What is asked for as curves, for a screen or a page: no more than it can show."""
    step = max((span[1] - span[0]) / 300, 60.0)
    step = next((each for each in (60.0, 300.0, 3600.0) if each >= step), step)
    found: list[Curve] = []
    for series in series_of(archive, host, metrics)[:_MOST_CURVES]:
        if series.kind == Kind.CHOICE:
            continue
        rows = archive.values(host, series, *span, step)
        values = [(row.begin, row.end, row.mean) for row in rows]
        if values:
            found.append((clean(series.name), series.unit, values))
    return found


def rows(archive: Archive, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """One row a host, value and time; times are RFC 3339 in UTC."""
    words = archive.words()
    for host in wanted.hosts:
        for series in series_of(archive, host, wanted.metrics):
            named = series.kind == Kind.CHOICE
            for row in archive.values(host, series, wanted.begin, wanted.end, wanted.step):
                low, mean, high = (
                    words.get(value, "") if named else value
                    for value in (row.low, row.mean, row.high)
                )
                yield {
                    "host": host.name,
                    "metric": series.name,
                    "unit": series.unit,
                    "begin": rfc3339(row.begin),
                    "end": rfc3339(row.end),
                    "low": None if named else low,
                    "mean": mean,
                    "high": None if named else high,
                }


def write_csv(found: Iterable[dict[str, Any]], target: str) -> None:
    """Rows as CSV (RFC 4180), to a file or, for ``-``, to the output.

    Raises:
        FanwhyError: the file cannot be written.
    """
    with _opened(target) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\r\n" if target != "-" else "\n")
        writer.writeheader()
        for row in found:
            # A spreadsheet takes a cell that begins so for a formula.
            safe = {
                key: f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value
                for key, value in row.items()
                if value is not None
            }
            writer.writerow(safe)


def write_json(found: Iterable[dict[str, Any]]) -> None:
    """Rows as JSON, one object a line."""
    for row in found:
        print(json.dumps({key: value for key, value in row.items() if value is not None}))


def write_parquet(found: Iterable[dict[str, Any]], target: str) -> None:
    """Rows as a Parquet file; values of choices stand in ``word``.

    Raises:
        ConfigError: pyarrow is not installed.
        FanwhyError: the file cannot be written.
    """
    try:
        arrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ConfigError(
            "--parquet: needs pyarrow; install it with: pip install 'fanwhy[parquet]'"
        ) from error
    text, number = arrow.string(), arrow.float64()
    schema = arrow.schema(
        [(name, number if name in ("low", "mean", "high") else text) for name in COLUMNS]
        + [("word", text)]
    )
    try:
        with parquet.ParquetWriter(target, schema) as writer:
            for some in _in_batches(found):
                for row in some:
                    if isinstance(row["mean"], str):
                        row["word"], row["mean"] = row["mean"], None
                writer.write_table(arrow.Table.from_pylist(some, schema=schema))
    except OSError as error:
        raise FanwhyError(f"{target}: {error.strerror or error}") from error


def write_png(target: str, svg: str) -> None:
    """A drawing as a picture of twice its size, for screens with many pixels.

    Raises:
        ConfigError: what renders it is not installed, or there is no font to write with.
        FanwhyError: the file cannot be written.
    """
    try:
        resvg: Any = importlib.import_module("resvg_py")
    except ImportError as error:
        raise ConfigError(
            "--png: needs resvg-py; install it with: pip install 'fanwhy[png]'"
        ) from error
    picture = bytes(resvg.svg_to_bytes(svg_string=svg, zoom=2.0, sans_serif_family=_font(resvg)))
    try:
        if target == "-":
            sys.stdout.buffer.write(picture)
        else:
            Path(target).write_bytes(picture)
    except OSError as error:
        raise FanwhyError(f"{target}: {error.strerror or error}") from error


def _font(resvg: Any) -> str:
    """The first of the usual fonts that is installed: text for which there is none is left out."""
    probe = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><text y="9" {}/></svg>'
    nothing = resvg.svg_to_bytes(svg_string=probe.format(""))
    for name in _FONTS:
        letter = probe.replace("/></svg>", ">M</text></svg>").format(f'font-family="{name}"')
        if resvg.svg_to_bytes(svg_string=letter) != nothing:
            return name
    raise ConfigError("--png: there is no font here; install one, such as fonts-dejavu-core")


def write_text(target: str, content: str) -> None:
    """A whole file, or for ``-`` the output.

    Raises:
        FanwhyError: it cannot be written.
    """
    with _opened(target) as file:
        file.write(content)


def _in_batches(found: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in found:
        batch.append(row)
        if len(batch) >= 20_000:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def _opened(target: str) -> Iterator[TextIO]:
    if target == "-":
        yield sys.stdout
        return
    try:
        with Path(target).open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise FanwhyError(f"{target}: {error.strerror or error}") from error

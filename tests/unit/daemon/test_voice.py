"""The log never makes the daemon wait."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.daemon.voice import Voice, formatter_for


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_all(descriptor: int) -> str:
    os.set_blocking(descriptor, False)
    content = b""
    while True:
        try:
            more = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return content.decode()
        content += more


def read_on(voice: Voice, descriptor: int) -> str:
    """All that comes while the voice is asked to go on."""
    content = ""
    while more := read_all(descriptor):
        content += more
        voice.flush()
    return content


def test_lines_are_written_at_once(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    voice = Voice(writer)
    voice.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    voice.handle(logging.makeLogRecord({"levelname": "INFO", "msg": "up and \udcff running"}))
    assert read_all(reader) == "INFO up and \\udcff running\n"


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    voice = Voice(writer)
    for number in range(5000):
        voice.say(f"{number} " + "x" * 100)
    assert voice.dropped > 0
    got = read_on(voice, reader)
    lines = got.splitlines()
    assert lines[0].startswith("0 ")
    assert lines[-1].startswith("4999 ")
    assert any("found no room" in line for line in lines)
    assert all(line.endswith(("x", "room")) for line in lines)


def test_a_long_line_comes_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    voice = Voice(writer)
    voice.say("x" * 200_000)
    got = read_on(voice, reader)
    assert got == "x" * 200_000 + "\n"


def test_the_end_does_not_wait_for_a_reader(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    voice = Voice(writer)
    for _ in range(2000):
        voice.say("x" * 100)
    voice.close()


def test_what_is_closed_is_nobodys(pipe: tuple[int, int]) -> None:
    descriptor = os.dup(pipe[1])
    voice = Voice(descriptor)
    os.close(descriptor)
    voice.say("anybody there?")


def test_a_record_that_cannot_be_made_is_dropped(pipe: tuple[int, int]) -> None:
    voice = Voice(pipe[1])
    voice.handle(logging.makeLogRecord({"msg": "%d", "args": ("x",)}))
    assert voice.dropped == 1


def test_the_journal_is_told_the_level_of_each_line(tmp_path: Path) -> None:
    with (tmp_path / "journal").open("w") as stream:
        found = os.fstat(stream.fileno())
        journal = {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        formatter = formatter_for(stream.fileno(), journal)
        plain = formatter_for(stream.fileno(), {"JOURNAL_STREAM": "1:2"})
    record = logging.LogRecord("x", logging.WARNING, "", 0, "one\ntwo", (), None)

    assert formatter.format(record).splitlines() == [f"<4>{record.levelname} one", "<4>two"]
    assert plain.format(record) == f"{record.levelname} one\ntwo"

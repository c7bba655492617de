"""The local time of a host below a root."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.local_time import below, follow


def _zone(offset: int, rule: bytes) -> bytes:
    """A time zone of one offset, as RFC 9636 has it."""
    block = struct.pack(">4sc15x6l", b"TZif", b"2", 0, 0, 0, 0, 1, 4)
    block += struct.pack(">lbb4s", offset, 0, 0, b"ABC")
    return block + block + b"\n" + rule + b"\n"


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in a container."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    del os.environ["TZ"]
    yield
    os.environ.pop("TZ", None)
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.fixture
def host(tmp_path: Path) -> Path:
    zones = tmp_path / "usr/share/zoneinfo/Pacific"
    zones.mkdir(parents=True)
    (zones / "Kiritimati").write_bytes(_zone(14 * 3600, b"<+14>-14"))
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "target", ["/usr/share/zoneinfo/Pacific/Kiritimati", "../usr/share/zoneinfo/Pacific/Kiritimati"]
)
@pytest.mark.usefixtures("utc")
def test_it_becomes_ours(host: Path, target: str) -> None:
    (host / "etc/localtime").symlink_to(target)

    follow(KernelFiles(host))

    assert time.localtime(0).tm_hour == 14


@pytest.mark.usefixtures("utc")
def test_a_copy_instead_of_a_link(host: Path) -> None:
    content = (host / "usr/share/zoneinfo/Pacific/Kiritimati").read_bytes()
    (host / "etc/localtime").write_bytes(content)

    follow(KernelFiles(host))

    assert time.localtime(0).tm_hour == 14


@pytest.mark.usefixtures("utc")
def test_a_zone_that_is_wished_for_stays(host: Path) -> None:
    (host / "etc/localtime").symlink_to("/usr/share/zoneinfo/Pacific/Kiritimati")
    os.environ["TZ"] = "<-03>3"
    time.tzset()

    follow(KernelFiles(host))

    assert time.localtime(0).tm_hour == 21


@pytest.mark.usefixtures("utc")
def test_where_there_is_none_nothing_changes(host: Path) -> None:
    follow(KernelFiles(host))

    assert "TZ" not in os.environ


def test_links_do_not_lead_out_of_the_root(host: Path) -> None:
    (host / "etc/zoneinfo").symlink_to("/usr/share/zoneinfo")
    (host / "etc/localtime").symlink_to("../../../etc/zoneinfo/Pacific/Kiritimati")
    (host / "etc/loop").symlink_to("loop")

    kiritimati = "/usr/share/zoneinfo/Pacific/Kiritimati"
    assert below(str(host), "/etc/localtime") == f"{host}{kiritimati}"
    assert below(str(host), "/etc/loop") == f"{host}/etc/loop"

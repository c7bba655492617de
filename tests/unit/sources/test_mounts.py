"""The mount table, with names that users choose."""

from __future__ import annotations

import pytest

from publisher.sources.mounts import parse

ROOT = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\r"])
def test_what_only_unicode_calls_a_line_is_part_of_a_path(separator: str) -> None:
    point = f"/home/bob/m{separator}23 1 8:2 / /srv rw - ext4 /dev/sdb1 rw".replace(" ", "\\040")
    table = f"{ROOT}24 22 0:50 / {point} rw - fuse.sshfs bob@x:/ rw\n"
    assert [mount.point for mount in parse(table.encode())] == ["/", point.replace("\\040", " ")]

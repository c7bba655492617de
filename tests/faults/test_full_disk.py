"""A file system without room: events wait in memory, and on disk as soon as there is some."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.contract.messages import Message
from publisher.mqtt.journal import Journal

pytestmark = pytest.mark.faults


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "small", folder], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def event(key: str) -> Message:
    return Message(topic="host/event", payload=b"x" * 3000, qos=1, key=key)


def test_events_of_a_full_disk_survive_once_there_is_room(small: Path, tmp_path: Path) -> None:
    journal = Journal(str(small / "events"))
    journal.append(event("before"))
    assert journal.flush(10)
    filler = small / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(1 << 17))

    for number in range(3):
        journal.append(event(f"full-{number}"))
        assert journal.flush(10)
    assert len(journal.waiting()) == 4
    filler.unlink()
    journal.append(event("after"))
    assert journal.flush(10)

    shutil.copy(small / "events", tmp_path / "events")
    found = [message.key for message in Journal(str(tmp_path / "events")).waiting()]
    assert found == ["before", "full-0", "full-1", "full-2", "after"]
    journal.close()

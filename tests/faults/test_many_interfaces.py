"""Hundreds of interfaces, as container engines make them: all are seen, and none costs a read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

_PAIRS = 100
# Two samples of the network, then one after an interface more, with what each one read.
_READER = """
import json, subprocess, sys
from publisher.sources import Sources
from publisher.sources.files import KernelFiles
from publisher.subsystems.network import Network
class Counted(KernelFiles):
    reads = 0
    def read(self, path, *, keep=True):
        Counted.reads += 1
        return super().read(path, keep=keep)
now = 0.0
network = Network(Sources(files=Counted(), monotonic=lambda: now))
for _ in range(4):
    if now == 6.0:
        subprocess.run(["ip", "link", "add", "late0", "type", "bridge"], check=True)
    before, now = Counted.reads, now + 2.0
    reading = network.read()
    names = [card.label for card in reading.interfaces.values()]
    print(json.dumps([reading.virtual.count, names, Counted.reads - before]), flush=True)
"""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[str]:
    """A network of its own with one card of a container and many interfaces beside it."""
    name = f"fanwhy-{tmp_path.parent.name[-12:]}-{tmp_path.name[-8:]}"[:40]
    batch = tmp_path / "batch"
    lines = [
        f"link add veth{number}a type veth peer name veth{number}b" for number in range(_PAIRS)
    ]
    lines.append("link add eth0 type veth peer name host0")
    batch.write_text("\n".join(lines) + "\n")
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "-batch", batch], check=True)
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def test_hundreds_of_interfaces_are_all_seen_by_one_read(network: str) -> None:
    finished = subprocess.run(
        ["ip", "netns", "exec", network, sys.executable, "-c", _READER],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    first, second, third, late = map(json.loads, finished.stdout.splitlines())

    # One of each two ends of the pair looks like a container's card, and so does the other.
    others = 2 * _PAIRS + 1  # and loopback
    assert [first[0], second[0], third[0]] == [others] * 3
    assert first[1] == ["eth0", "host0"]
    assert second[2] == third[2] <= 8
    assert late[0] == others + 1

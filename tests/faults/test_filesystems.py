"""File systems that are many, that break and that fill up, on the real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from namespaces import alone

pytestmark = pytest.mark.faults

# What all the scripts below begin with; they run in namespaces of their own.
_BEGIN = """
import json, os, subprocess, sys
from pathlib import Path
from publisher.sources import Sources, interfaces, mounts
from publisher.sources.files import KernelFiles
from publisher.subsystems.disk.disk import Disk

folder = Path(sys.argv[1])
now = 1000.0
disk = Disk(Sources(monotonic=lambda: now))

def run(*words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)

def read(label):
    found = [item for item in disk.read().filesystems.values() if item.label == str(label)]
    return found[0] if found else None

def made(*options):
    image, point = folder / "image", folder / "point"
    image.write_bytes(b"")
    os.truncate(image, 16 << 20)
    run("mkfs.ext4", "-q", *options, image)
    point.mkdir()
    run("mount", "-o", "loop,errors=remount-ro", image, point)
    return point
"""


def _alone(code: str, folder: Path) -> Any:
    return alone(_BEGIN + code, folder)


def test_eighty_mounts_and_hundreds_of_interfaces_are_all_seen(tmp_path: Path) -> None:
    found = _alone(
        """
for number in range(80):
    point = folder / f"mount-{number}"
    point.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=64k", f"volume-{number}", point)
batch = "".join(
    f"link add fanwhy{number} type veth peer name fanwhy{number + 1}\\n"
    for number in range(0, 300, 2)
)
subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
files = KernelFiles()
points = {mount.point for mount in mounts.parse(mounts.table(files))}
links = interfaces.lines(files.read("/proc/net/dev"))
print(json.dumps([
    sum(str(folder / f"mount-{number}") in points for number in range(80)),
    sum(f"fanwhy{number}" in links for number in range(300)),
]))
""",
        tmp_path,
    )

    assert found == [80, 300]


def test_inodes_that_are_used_up_are_told_while_there_is_space(tmp_path: Path) -> None:
    found = _alone(
        """
point = made("-N", "64")
first = read(point)
try:
    for number in range(1000):
        (point / str(number)).touch()
except OSError:
    pass
now += 30
item = read(point)
print(json.dumps([first.inodes_used_percent, item.inodes_used_percent, item.used_percent]))
""",
        tmp_path,
    )

    assert found[0] < 50
    assert found[1] == 100
    assert found[2] < 50


def test_a_file_system_that_the_kernel_stops_writing_to_has_failed(tmp_path: Path) -> None:
    found = _alone(
        """
point = made()
states = [(item.state, item.read_only) for item in [read(point)]]
device = Path(subprocess.check_output(["findmnt", "-no", "SOURCE", point], text=True).strip()).name
Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("made up by a test")
now += 30
states += [(item.state, item.read_only) for item in [read(point)]]
print(json.dumps(states))
""",
        tmp_path,
    )

    assert found == [["ok", False], ["failed", True]]


def test_one_that_goes_on_in_spite_of_an_error_has_failed_too(tmp_path: Path) -> None:
    found = _alone(
        """
point = made()
run("mount", "-o", "remount,errors=continue", point)
device = Path(subprocess.check_output(["findmnt", "-no", "SOURCE", point], text=True).strip()).name
states = [read(point).state]
Path("/sys/fs/ext4", device, "trigger_fs_error").write_text("made up by a test")
run("sync")
now += 30
item = read(point)
print(json.dumps([*states, item.state, item.read_only]))
""",
        tmp_path,
    )

    assert found == ["ok", "failed", False]


def test_xfs_that_was_shut_down_has_failed(tmp_path: Path) -> None:
    found = _alone(
        """
import fcntl, struct
image, point = folder / "image", folder / "point"
image.write_bytes(b"")
os.truncate(image, 512 << 20)
run("mkfs.xfs", "-q", image)
point.mkdir()
run("mount", "-o", "loop", image, point)
states = [read(point).state]
descriptor = os.open(point, os.O_RDONLY)
fcntl.ioctl(descriptor, 0x8004587D, struct.pack("=I", 2))  # XFS_IOC_GOINGDOWN, without the log
os.close(descriptor)
now += 30
states.append(read(point).state)
print(json.dumps(states))
""",
        tmp_path,
    )

    assert found == ["ok", "failed"]


def test_one_that_is_read_only_by_wish_has_not(tmp_path: Path) -> None:
    found = _alone(
        """
point = made()
run("mount", "-o", "remount,ro", point)
item = read(point)
print(json.dumps([item.state, item.read_only]))
""",
        tmp_path,
    )

    assert found == ["ok", True]


def test_what_is_mounted_for_a_moment_is_not_told(tmp_path: Path) -> None:
    found = _alone(
        """
disk.read()
point = made()
seen = []
for _ in range(2):
    now += 30
    seen.append(read(point) is not None)
run("umount", point)
now += 30
seen.append(read(point) is not None)
print(json.dumps(seen))
""",
        tmp_path,
    )

    assert found == [False, True, False]


_CONTAINER = """
host = folder / "host"
host.mkdir()
BIND
contained = Disk(Sources(files=KernelFiles(host), monotonic=lambda: now))
found = {item.label: item for item in contained.read().filesystems.values()}
root = read("/")
print(json.dumps([
    found["/"].total_bytes == root.total_bytes,
    found["/"].state,
    str(contained.health["disk.filesystems"] or ""),
]))
"""


def test_a_container_tells_the_hosts_file_systems(tmp_path: Path) -> None:
    """The host's root below another folder, as the compose file binds it."""
    bind = """
run("mount", "--rbind", "/", host)
run("mount", "-o", "remount,bind,ro", host)
"""
    assert _alone(_CONTAINER.replace("BIND", bind), tmp_path) == [True, "ok", ""]


def test_nor_does_it_take_the_hosts_init_for_that(tmp_path: Path) -> None:
    """Its processes may be hidden (``hidepid``)."""
    bind = """
run("mount", "--rbind", "/", host)
(folder / "empty").mkdir()
run("mount", "--bind", folder / "empty", host / "proc/1")
"""
    assert _alone(_CONTAINER.replace("BIND", bind), tmp_path) == [True, "ok", ""]


def test_it_tells_no_others_in_their_place(tmp_path: Path) -> None:
    bind = """
for name in ("proc", "sys"):
    (host / name).mkdir()
    run("mount", "--rbind", f"/{name}", host / name)
"""
    same, state, reason = _alone(_CONTAINER.replace("BIND", bind), tmp_path)

    assert not same
    assert state is None
    assert reason.startswith("/: not seen from inside this container")

"""Capturing a machine: everything that was read, nothing that tells who it is."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from unit.cli.program import Program

from publisher.cli.capture import capture
from publisher.cli.capture import command as capture_command
from publisher.cli.replay import replay
from publisher.daemon.settings import Settings
from publisher.errors import ConfigError, DeniedError, SourceError
from publisher.sources import Sources
from publisher.sources.block import disks
from publisher.sources.files import KernelFiles
from publisher.sources.masking import Masker
from publisher.sources.recording import Captured, Recording, write
from publisher.subsystems import SUBSYSTEMS

_MACHINES = Path(__file__).parents[2] / "fixtures/machines"


def test_this_machine_captured_gives_what_a_replay_of_it_gives(tmp_path: Path) -> None:
    capture(tmp_path / "case", Settings(), pause=0.01)
    expected = json.loads((tmp_path / "case/expected.json").read_text())

    assert replay(tmp_path / "case", ["cpu", "memory"])["cpu"] == expected["cpu"]
    assert expected["memory"]["total_bytes"] > 0


def test_a_capture_holds_what_is_ignored_here(fanwhy: Program, tmp_path: Path) -> None:
    """Whoever reads it there has another configuration."""
    settings = {
        "FANWHY_ROOT": str(_MACHINES / "intel_desktop"),
        "FANWHY_IGNORE__FANS": "*",
        "FANWHY_NAMES": '{ "nct6798 CPUTIN" = "Socket" }',
    }
    assert fanwhy("capture", str(tmp_path / "case"), **settings).code == 0
    thermal = json.loads((tmp_path / "case/expected.json").read_text())["thermal"]
    assert thermal["fans"]
    assert "Socket" not in json.dumps(thermal)


@pytest.mark.parametrize("machine", ["intel_desktop", "laptop", "nas", "raspberry_pi"])
def test_a_captured_machine_can_be_captured_again(machine: str, tmp_path: Path) -> None:
    topics = ["cpu", "memory", "thermal", "power"]
    root = shutil.copytree(_MACHINES / machine, tmp_path / "root", symlinks=True)
    shutil.rmtree(root / "second")
    once = replay(root, topics)
    shutil.copytree(root, tmp_path / "live", symlinks=True)

    recording = Recording(tmp_path / "live")
    _sample(recording, topics)
    write(recording, tmp_path / "again", Masker())

    assert _without_marks(replay(tmp_path / "again", topics)) == _without_marks(once)


def _sample(recording: Recording, topics: list[str]) -> None:
    for cls in SUBSYSTEMS:
        if cls.name in topics:
            with contextlib.suppress(SourceError):
                cls(Sources(files=recording, nut=None)).read()


def _without_marks(result: dict[str, Any]) -> dict[str, Any]:
    """Marked files read as text by a recording of a fixture give another reason: left out."""
    return {name: body for name, body in result.items() if name != "senses"}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")

    with pytest.raises(ConfigError, match="not empty"):
        capture_command(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_links_on_the_way_are_captured_as_links(tmp_path: Path) -> None:
    live = tmp_path / "live"
    (live / "sys/devices/pci/card").mkdir(parents=True)
    (live / "sys/devices/pci/card/value").write_text("7\n")
    (live / "sys/class").mkdir()
    (live / "sys/class/card0").symlink_to("../devices/pci/card")
    (live / "sys/devices/pci/card/subsystem").symlink_to("/sys/class")
    recording = Recording(live)
    recording.integer("/sys/class/card0/value")
    recording.names("/sys/class")
    recording.exists("/sys/class/card0/value")
    recording.link("/sys/class/card0")
    write(recording, tmp_path / "case", Masker())

    again = KernelFiles(tmp_path / "case")
    assert (tmp_path / "case/sys/class/card0").readlink() == Path("../devices/pci/card")
    assert again.integer("/sys/class/card0/value") == 7
    assert again.link("/sys/class/card0") == "/sys/devices/pci/card"
    assert again.names("/sys/class") == ["card0"]


def test_what_could_not_be_read_cannot_be_read_in_a_replay(tmp_path: Path) -> None:
    (tmp_path / "sys").mkdir()
    (tmp_path / "sys/denied").write_text("!EACCES\n")
    (tmp_path / "sys/broken").write_text("!EIO\n")
    (tmp_path / "sys/odd").write_text("!important\n")
    files = Captured(tmp_path)

    with pytest.raises(DeniedError):
        files.read("/sys/denied")
    with pytest.raises(SourceError, match="reading failed"):
        files.integer("/sys/broken")
    assert files.text("/sys/odd") == "!important"


def test_a_failing_file_is_captured_as_failing(tmp_path: Path) -> None:
    live = tmp_path / "live"
    (live / "sys/folder").mkdir(parents=True)
    recording = Recording(live)
    with pytest.raises(SourceError):
        recording.read("/sys/folder")  # a folder cannot be read: EISDIR
    with pytest.raises(SourceError):
        recording.read("/sys/nothing")

    assert recording.contents == {"/sys/folder": b"!EISDIR\n"}


_SECRETS = {
    "mac": ("/sys/class/net/eth0/address", "3c:ec:ef:12:34:56"),
    "name with mac": ("/sys/class/net/enx3cecef123456/operstate", "up"),
    "ipv4": ("/proc/net/arp", "IP address\n10.11.12.13 0x1 0x2 3c:ec:ef:12:34:56"),
    "ipv6": ("/proc/net/dev_mcast", "fd12:3456:789a:1:2:3:4:5"),
    "socket": ("/proc/net/tcp", " 0: 0D0C0B0A:1F90 00000000:0000 0A"),
    "uuid": ("/proc/self/mountinfo", "/dev/disk/by-uuid/7d1f2c3a-1111-2222-3333-444455556666 /"),
    "array": ("/sys/block/md0/md/uuid", "5cb42cf9:38217e18:e2e8ae99:4bf3ebcd"),
    "server": ("/proc/self/mountinfo", "36 25 0:32 / /mnt rw - nfs4 filer7.corp.example:/vol rw"),
    "share": ("/proc/self/mountinfo", "36 25 0:32 / /mnt rw - cifs //filer7.corp.example/vol rw"),
    "home": ("/proc/self/mountinfo", "36 25 0:32 / /home/marguerite/music rw - ext4 /dev/sda1 rw"),
    "wwid": ("/sys/block/sda/device/wwid", "naa.5000c500d6e7f809"),
    "eui": ("/sys/block/nvme0n1/wwid", "eui.0025385b01234567"),
    "serial": ("/sys/block/nvme0n1/device/serial", "S4EWNX0R123456"),
    "serial in a listing": ("/dev/disk/by-id/nvme-Samsung_S4EWNX0R123456", "x"),
    "battery": ("/sys/class/power_supply/BAT0/uevent", "POWER_SUPPLY_SERIAL_NUMBER=AB12345\n"),
    "t10": ("/sys/block/sdb/device/wwid", "t10.ATA     WDC WD40EFRX-68N32N0      WD-WCC7K7654321"),
    "host": ("/proc/sys/kernel/hostname", "gutenberg"),
    "disk by name": ("/dev/disk/by-id/ata-ST4000VN008-2DR166_ZDH1C0DE-part1", ""),
    "stick by name": ("/dev/disk/by-id/usb-Generic_Flash_ABCDEFGH-0:0", ""),
    "nvme by name": ("/dev/disk/by-id/nvme-Samsung_SSD_980_S64ANX0T99_1", ""),
    "fat": ("/dev/disk/by-uuid/8F2D-31AC", ""),
    "lvm": ("/dev/disk/by-id/lvm-pv-uuid-aB3dEf-gh1J-kL2m-nOpQ-rS3t-uVwX-yZ4abc", ""),
    "wireless with mac": ("/sys/class/net/wlx3cecefabcdef/operstate", "up"),
    "board": ("/proc/cpuinfo", "Hardware\t: BCM2835\nSerial\t\t: 100000003d1d1c36\nModel\t: Pi\n"),
    "media": ("/proc/self/mountinfo", "36 25 0:32 / /media/rosalind/USB rw - vfat /dev/sdb1 rw"),
    "run media": ("/proc/mounts", "/dev/sdb1 /run/media/rosalind/USB vfat rw 0 0"),
    "cifs user": ("/proc/self/mountinfo",
                  "3 2 0:3 / /mnt rw - cifs //nas9/v rw,username=rosalind,domain=LABCORP,uid=0"),
    "sshfs": ("/proc/mounts", "rosalind@kelvin.example:/vol /mnt fuse.sshfs rw,user_id=0 0 0"),
    "sshfs relative": ("/proc/mounts", "rosalind@kelvin:music /mnt fuse.sshfs rw,user_id=0 0 0"),
    "gluster": ("/proc/self/mountinfo", "41 25 0:37 / /g rw - fuse.glusterfs gfs3.example:vol rw"),
    "ceph": ("/proc/self/mountinfo",
             "42 25 0:3 / /c rw - ceph 10.9.8.7:6789,mon2.example:6789:/ rw,name=rosalind,acl"),
    "iscsi": ("/dev/disk/by-path/ip-10.9.8.7:3260-iscsi-iqn.2004-04.com.qnap:ts-q1-lun-0", ""),
    "host in an array": ("/sys/block/md0/md/name", "gutenberg:0"),
}  # fmt: skip
_TELLTALES = (
    "3c:ec:ef", "3cecef123456", "10.11.12.13", "fd12:3456", "0D0C0B0A", "7d1f2c3a", "filer7",
    "5cb42cf9", "marguerite", "d6e7f809", "5b01234567", "S4EWNX0R123456", "AB12345", "WCC7K7654321",
    "gutenberg", "ZDH1C0DE", "ABCDEFGH", "S64ANX0T99", "8F2D", "gh1J", "3cecefabcdef", "3d1d1c36",
    "rosalind", "nas9", "LABCORP", "kelvin", "gfs3", "mon2", "10.9.8.7", "qnap",
)  # fmt: skip


def test_nothing_that_tells_who_it_is_leaves_the_machine(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "live")
    for number, (path, content) in enumerate(_SECRETS.values()):
        name = path if path not in recording.contents else f"/{number}{path}"
        recording.contents[name] = content.encode()
    write(recording, tmp_path / "case", Masker("gutenberg"))

    files = [path for path in (tmp_path / "case").rglob("*") if path.is_file()]
    everything = "\n".join(f"{path}\n{path.read_text()}" for path in files)
    assert [secret for secret in _TELLTALES if secret in everything] == []
    assert "WDC WD40EFRX-68N32N0" in everything, "the model is no secret"
    assert "naa.5000c50" in everything, "the maker is no secret"
    for kept in ("ST4000VN008-2DR166_", "Samsung_SSD_980_", "BCM2835", "/USB", "rw,user_id=0"):
        assert kept in everything, kept


def test_of_what_udev_knows_only_the_pool_leaves_the_machine() -> None:
    member = b"S:disk/by-id/ata-X_WCC7K\nE:ID_SERIAL_SHORT=WCC7K\nE:ID_FS_LABEL=tank\n"
    mask = Masker()

    told = mask.content("/run/udev/data/b8:1", member + b"E:ID_FS_TYPE=zfs_member\n")
    other = mask.content("/run/udev/data/b8:2", member + b"E:ID_FS_TYPE=ext4\n")

    assert told.split() == [b"E:ID_FS_TYPE=zfs_member", b"E:ID_FS_LABEL=tank"]
    assert other == b""


def test_the_same_secret_is_the_same_everywhere() -> None:
    mask = Masker("gutenberg")
    mask.learn("/sys/block/sda/device/serial", b"WCC7K1234567\n")
    mask.learn("/sys/block/sdb/device/serial", b"WCC7K7654321\n")

    name = mask.path("/dev/disk/by-id/ata-WDC_WCC7K1234567")
    assert mask.content("/x", b"WCC7K1234567").decode() == name.rpartition("_")[2]
    assert mask.content("/x", b"WCC7K1234567") != mask.content("/x", b"WCC7K7654321")
    mac = mask.content("/sys/class/net/eth0/address", b"3c:ec:ef:12:34:56")
    assert mask.content("/proc/net/arp", b"3c:ec:ef:12:34:56") == mac
    assert mask.content("/y", mac) == mac, "masking twice changes nothing"


def test_a_serial_number_that_only_a_link_tells_is_masked(tmp_path: Path) -> None:
    """With a world-wide name at hand, the file that holds the serial is not read."""
    live, device = tmp_path / "live", "sys/devices/pci0000:00/ata1/0:0:0:0"
    for name, content in {
        f"{device}/block/sda/size": "100\n", f"{device}/block/sda/queue/rotational": "1\n",
        f"{device}/wwid": "naa.5000c500a1b2c3d4\n", f"{device}/model": "ST4000VN008\n",
        "dev/sda": "",
    }.items():  # fmt: skip
        (live / name).parent.mkdir(parents=True, exist_ok=True)
        (live / name).write_text(content)
    (live / device / "block/sda/device").symlink_to("../../../0:0:0:0")
    (live / "sys/block").mkdir()
    (live / "sys/block/sda").symlink_to(f"../../{device}/block/sda")
    (live / "dev/disk/by-id").mkdir(parents=True)
    for name in ("ata-ST4000VN008-2DR166_ZDH1C0DE", "wwn-0x5000c500a1b2c3d4"):
        (live / "dev/disk/by-id" / name).symlink_to("../../sda")
    recording = Recording(live)
    (before,) = disks(recording)
    write(recording, tmp_path / "case", Masker())

    assert not [path for path in (tmp_path / "case").rglob("*") if "ZDH1C0DE" in path.name]
    (after,) = disks(Captured(tmp_path / "case"))
    assert (after.name, after.label) == (before.name, before.label)
    assert after.identity.startswith("wwn-0x5000c50")


def test_hierarchies_of_control_groups_keep_their_names() -> None:
    line = b"cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,name=systemd 0 0\n1:name=systemd:/x\n"
    assert Masker().content("/proc/mounts", line) == line


@pytest.mark.parametrize(
    "content",
    [b"cpu  4705 356 584 3699 23 23 0 0 0 0\n", b"0000:03:00.0\n", b"00:00:00:00:00:00\n",
     b"127.0.0.1\n", b"65261850\n", b"\xff\xfe\x00binary", b"2:0:0:0\n", b"5123456789012345\n",
     b"15.7\n", b"8:16 1 2 3\n"],
)  # fmt: skip
def test_what_tells_nothing_stays_as_it_is(content: bytes) -> None:
    assert Masker("host7").content("/sys/whatever", content) == content

"""File systems: each once, named by what stays, with the figures of df."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from servers import wait_until

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources import Sources, mounts
from publisher.sources.files import KernelFiles
from publisher.sources.recording import Captured
from publisher.subsystems.disk.disk import Disk
from publisher.subsystems.disk.figures import Figures
from publisher.subsystems.disk.filesystems import FilesystemReading

_ROOT = "27 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw"


def _kept(*lines: str) -> list[str]:
    return [mount.point for mount in mounts.data(mounts.parse("\n".join(lines).encode()))]


def test_bind_mounts_of_one_file_system_are_one() -> None:
    assert _kept(
        _ROOT,
        "28 27 8:2 /srv /export rw - ext4 /dev/sda2 rw",
        "29 27 8:2 /home/a /a rw - ext4 /dev/sda2 rw",
    ) == ["/"]


def test_the_last_mount_of_a_device_does_not_win() -> None:
    assert _kept(_ROOT, "28 27 8:2 / /run/netns rw - ext4 /dev/sda2 rw") == ["/"]


def test_a_bound_folder_stands_for_its_file_system_where_nothing_better_does() -> None:
    assert _kept(_ROOT, "28 27 8:3 /volumes/db /db rw - ext4 /dev/sda3 rw") == ["/", "/db"]


def test_subvolumes_of_a_btrfs_are_one() -> None:
    assert _kept(
        "27 1 0:30 /@ / rw - btrfs /dev/sda2 rw,subvol=/@",
        "28 27 0:30 /@home /home rw - btrfs /dev/sda2 rw,subvol=/@home",
    ) == ["/"]


@pytest.mark.parametrize(
    "line",
    [
        "30 27 0:21 / /proc rw - proc proc rw",
        "30 27 0:21 / /run rw - tmpfs tmpfs rw",
        "30 27 0:21 / /dev rw - devtmpfs udev rw",
        "30 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro",
        "30 27 11:0 / /media/cd ro - iso9660 /dev/sr0 ro",
        "30 27 0:40 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw",
        "30 27 0:41 / /run/user/1/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw",
        "30 27 0:42 / /net rw - autofs systemd-1 rw",
        "30 27 0:43 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "30 27 8:9 /hosts /etc/hosts rw - ext4 /dev/sda9 rw",
        "30 27 0:44 / /tank/.zfs/snapshot/a ro - zfs tank@a ro",
    ],
)
def test_what_holds_no_data_of_its_own_is_left_out(line: str) -> None:
    assert _kept(_ROOT, line) == ["/"]


@pytest.mark.parametrize(
    "line",
    [
        "30 27 0:40 / /m rw - nfs4 nas:/a rw",
        "30 27 0:40 / /m rw - cifs //nas/a rw",
        "30 27 0:40 / /m rw - fuse.sshfs me@nas:/a rw",
        "30 27 0:40 / /m rw - fuse.rclone cloud: rw",
        "30 27 0:40 / /m rw - 9p share rw",
        "30 27 0:40 / /m rw - virtiofs share rw",
        "30 27 0:40 / /m rw - zfs tank rw",
        "30 27 8:5 / /m rw - fuseblk /dev/sda5 rw",
    ],
)
def test_what_may_never_answer_is_marked(line: str) -> None:
    root, remote = mounts.data(mounts.parse(f"{_ROOT}\n{line}".encode()))

    assert (root.slow, remote.slow) == (False, True)


def test_the_way_to_a_disk_may_lead_through_a_server_that_hangs() -> None:
    found = mounts.data(
        mounts.parse(
            b"30 27 0:40 / /nas rw - nfs4 nas:/a rw\n31 30 8:5 / /nas/usb rw - ext4 /dev/sda5 rw"
        )
    )

    assert all(mount.slow for mount in found)


def test_a_mount_that_is_covered_by_another_cannot_be_asked() -> None:
    assert _kept(
        "30 27 8:5 / /home rw - ext4 /dev/sda5 rw", "31 30 8:6 / /home rw - ext4 /dev/sda6 rw"
    ) == ["/home"]


def test_escaped_blanks_are_undone() -> None:
    assert _kept("30 27 8:5 / /my\\040disk\\134x rw - ext4 /dev/sda5 rw") == ["/my disk\\x"]


def test_read_only_is_the_file_system_not_a_view_of_it() -> None:
    """A service's sandbox shows everything read-only."""
    view, error = mounts.parse(
        b"27 1 8:2 / / ro,relatime - ext4 /dev/sda2 rw\n28 1 8:3 / /b rw - ext4 /dev/sda3 ro,x"
    )

    assert (view.read_only, error.read_only) == (False, True)


def test_lines_cut_short_are_passed_over() -> None:
    assert _kept(_ROOT, "28 27 8:3 /", "29 27 8:4 / /c rw - ext4") == ["/"]


def test_a_table_without_any_mount_is_no_table() -> None:
    with pytest.raises(SourceError, match="no mount table"):
        mounts.parse(b"something else\n")


@pytest.mark.parametrize(
    "figures",
    [
        Figures(0, 0, 0, 4096, 0, 0),
        Figures(10, 20, 5, 4096, 0, 0),
        Figures(10, -1, 5, 4096, 0, 0),
        Figures(10, 5, 11, 4096, 0, 0),
        Figures(10, 5, 5, 0, 0, 0),
    ],
)
def test_figures_that_contradict_themselves_are_not_taken(figures: Figures) -> None:
    assert not figures.plausible


@pytest.mark.parametrize("answer", [b"", b"1 2 3", b"a b c d e f", b"1 2 3 4 5 6 7"])
def test_an_answer_of_another_shape_is_refused(answer: bytes) -> None:
    with pytest.raises(SourceError, match="six numbers"):
        Figures.parse(0, answer, "/m")


def test_an_overlay_stands_for_a_container_that_has_nothing_else() -> None:
    tree = Path(__file__).parents[2] / "fixtures" / "disk" / "container"

    assert Disk(Sources(files=Captured(tree))).read().filesystems.keys() == {"overlay"}


class Machine:
    """A machine made of files, of which the mounts change."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        (root / "proc/self").mkdir(parents=True)
        (root / "dev/disk/by-uuid").mkdir(parents=True)
        self.disk = Disk(Sources(files=Captured(root), monotonic=lambda: self.now))

    def mounts(self, *lines: str) -> None:
        (self.root / "proc/self/mountinfo").write_text("\n".join(lines) + "\n")

    def device(self, name: str, number: str, uuid: str) -> None:
        for path in (f"dev/{name}", f"sys/devices/virtual/block/{name}/dev"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).touch()
        link = self.root / f"sys/dev/block/{number}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"../../devices/virtual/block/{name}")
        by_uuid = self.root / f"dev/disk/by-uuid/{uuid}"
        by_uuid.unlink(missing_ok=True)
        by_uuid.symlink_to(f"../../{name}")

    def read(self, *, after: float = 30.0) -> dict[str, str | None]:
        """Mount points by identity."""
        self.now += after
        return {name: item.label for name, item in self.disk.read().filesystems.items()}


_STICK = "30 27 8:17 / /media/me/stick rw - vfat /dev/sdb1 rw"


def test_what_was_mounted_for_a_moment_is_not_told(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.mounts(_ROOT)
    assert list(machine.read().values()) == ["/"]
    machine.mounts(_ROOT, _STICK)
    assert list(machine.read().values()) == ["/"]
    machine.mounts(_ROOT)
    assert list(machine.read(after=10).values()) == ["/"]
    machine.mounts(_ROOT, _STICK)
    assert list(machine.read().values()) == ["/"]


def test_what_stays_is_told_ten_seconds_after_it_was_seen(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.mounts(_ROOT)
    machine.read()
    machine.mounts(_ROOT, _STICK)
    machine.read()
    assert list(machine.read(after=10).values()) == ["/", "/media/me/stick"]
    machine.mounts(_ROOT)
    assert list(machine.read().values()) == ["/"]


def test_what_is_mounted_on_demand_is_not_kept_by_asking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in for ``stat`` that notes whom it is asked of."""
    log = tmp_path / "asked"
    (tmp_path / "stat").write_text(f'#!/bin/sh\necho "$4" >>{log}\necho 100 50 50 4096 10 5\n')
    (tmp_path / "stat").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    now = 0.0
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(
        "30 1 0:40 / /a rw - nfs4 nas:/a rw\n"
        "31 1 0:41 / /b rw - autofs systemd-1 rw\n"
        "32 31 0:42 / /b rw - nfs4 nas:/b rw\n"
    )
    disk = Disk(Sources(files=KernelFiles(tmp_path), monotonic=lambda: now))

    def asked(point: str) -> int:
        return log.read_text().splitlines().count(f"{tmp_path}{point}") if log.exists() else 0

    for minute in range(20):
        now = minute * 60.0

        def was_asked(times: int = minute + 1) -> bool:
            disk.read()  # which takes the answer of the last time, and asks again
            return asked("/a") == times

        wait_until(was_asked, what="have the server asked")
        wait_until(lambda: disk.read().filesystems["nas:/a"].state == "ok")

    assert asked("/b") == 1
    assert disk.read().filesystems["nas:/b"].used_bytes == 50 * 4096
    disk.close()


def test_datasets_of_a_pool_are_asked_by_one_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in for ``stat`` that answers for all but one of them."""
    log = tmp_path / "asked"
    (tmp_path / "stat").write_text(
        f"""#!/bin/sh
shift 3
echo $# >>{log}
for point; do
    case $point in
        */locked) echo "stat: cannot read information for '$point': Permission denied" >&2 ;;
        */broken) echo "stat: cannot read information for '$point': Input/output error" >&2 ;;
        *) echo 100 50 50 4096 10 5 "$point" ;;
    esac
done
"""
    )
    (tmp_path / "stat").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    (tmp_path / "proc/self").mkdir(parents=True)
    mounted = {
        "/a": "rpool/a", "/tank": "tank", "/tank/b\\040c": "tank/b\\040c",
        "/tank/broken": "tank/broken", "/tank/locked": "tank/locked",
    }  # fmt: skip
    (tmp_path / "proc/self/mountinfo").write_text(
        "".join(
            f"{number} 1 0:{number} / {point} rw - zfs {source} rw\n"
            for number, (point, source) in enumerate(mounted.items(), 30)
        )
    )
    disk = Disk(Sources(files=KernelFiles(tmp_path), monotonic=lambda: 1.0))

    def states() -> dict[str | None, str | None]:
        return {item.label: item.state for item in disk.read().filesystems.values()}

    wait_until(lambda: [*states().values()].count("ok") == 3)
    assert states() == {
        "/a": "ok", "/tank": "ok", "/tank/b c": "ok", "/tank/broken": "failed",
        "/tank/locked": None,
    }  # fmt: skip
    assert sorted(log.read_text().split()) == ["1", "4"]
    # What lies in a dataset below it is in its own use, as `zfs list` has it.
    found = {item.label: item for item in disk.read().filesystems.values()}
    tank, below = found["/tank"], found["/tank/b c"]
    assert (tank.used_bytes, below.used_bytes) == (2 * 50 * 4096, 50 * 4096)
    assert (tank.total_bytes, tank.available_bytes) == (3 * 50 * 4096, 50 * 4096)
    assert (round(tank.used_percent or 0), tank.inodes_used_percent) == (67, None)
    disk.close()


def test_a_snapshot_takes_nobodys_identity(tmp_path: Path) -> None:
    """It has the UUID of what it was taken of, and udev's link then leads to it."""
    machine = Machine(tmp_path)
    root = "27 1 252:0 / / rw - ext4 /dev/mapper/vg-root rw"
    machine.device("dm-0", "252:0", "0a-0b")
    machine.mounts(root)
    assert machine.read() == {"0a-0b": "/"}
    machine.device("dm-5", "252:5", "0a-0b")
    machine.mounts(root, "28 27 252:5 / /backup/snapshot rw - ext4 /dev/mapper/vg-snap rw")
    machine.read()
    assert machine.read() == {"0a-0b": "/", "/dev/mapper/vg-snap": "/backup/snapshot"}


def test_a_users_file_system_takes_nobodys_identity(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.device("sda2", "8:2", "0a-0b")
    machine.mounts(
        "27 1 8:2 / /srv rw - ext4 /dev/sda2 rw",
        "28 1 0:40 / /a/b rw - fuse.evil /dev/sda2 rw",
        "29 1 0:41 / /a/c rw - fuse 0a-0b rw",
    )

    assert machine.read() == {"0a-0b": "/srv", "/dev/sda2": "/a/b", "/a/c": "/a/c"}


def test_what_tells_nothing_of_itself_goes_by_its_place(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.mounts(
        _ROOT,
        "28 1 0:40 / /etc/pve rw - fuse /dev/fuse rw",
        "29 1 0:41 / /mnt/image rw - fuse /dev/fuse rw",
    )

    assert list(machine.read()) == ["/dev/sda2", "/etc/pve", "/mnt/image"]


@pytest.mark.parametrize(
    ("kind", "source", "device"),
    [
        ("ext4", "/dev/sda2", True),
        ("fuseblk", "/dev/sda2", True),
        ("fuse", "/dev/fuse", False),
        ("fuse.evil", "/dev/sda2", False),
        # Its path would be followed, and where it leads may never answer.
        ("fuseblk", "/dev/../home/evil/hanging/x", False),
        ("nfs4", "nas:/dev/sda2", False),
    ],
)
def test_what_is_a_device(kind: str, source: str, device: bool) -> None:
    (mount,) = mounts.parse(f"27 1 0:40 / /m rw - {kind} {source} rw".encode())

    assert mounts.is_device(mount) is device


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"stat: cannot read \xe2\x80\x98/m\xe2\x80\x99: Permission denied\n", DeniedError, "user"),
        (b"stat: can't read '/m: x': No such file or directory\n", AbsentError, "not on this"),
        (b"stat: '/m': Transport endpoint is not connected\n", SourceError, "endpoint is not"),
        (b"stat: '/m': Stale file handle\n", SourceError, "Stale file handle"),
        (b"", SourceError, "tells no figures"),
    ],
)
def test_a_refusal_is_told_by_its_reason(answer: bytes, kind: type, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        Figures.parse(1, answer, "/m")
    assert type(caught.value) is kind


def _df() -> dict[str, list[int]]:
    """Mount point to total, used, available, percent and percent of inodes, in df's words."""
    columns = "target,size,used,avail,pcent,ipcent"
    lines = subprocess.run(
        ["df", "--block-size=1", f"--output={columns}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()[1:]
    rows = (line.split() for line in lines)
    return {
        row[0]: [int(word.rstrip("%")) if word != "-" else -1 for word in row[1:]] for row in rows
    }


def _matches(item: FilesystemReading, row: list[int]) -> bool:
    inodes = -1 if item.inodes_used_percent is None else -int(-item.inodes_used_percent // 1)
    return row == [
        item.total_bytes,
        item.used_bytes,
        item.available_bytes,
        -int(-(item.used_percent or 0) // 1),  # df rounds up
        inodes,
    ]


def test_figures_equal_those_of_df() -> None:
    """Others write meanwhile, so that one of a few looks must agree in every figure."""
    looks = []
    for _ in range(20):
        os.sync()
        found = list(Disk(Sources()).read().filesystems.values())
        table = _df()
        known = [item for item in found if item.used_percent is not None and item.label in table]
        if known and all(_matches(item, table[str(item.label)]) for item in known):
            return
        looks.append((found, table))
    pytest.fail(f"never the same: {looks[-1]}")

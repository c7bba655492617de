"""The mount table, with names that users choose."""

from __future__ import annotations

import pytest

from publisher.sources.files import KernelFiles
from publisher.sources.mounts import data, failures, parse

ROOT = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\r"])
def test_what_only_unicode_calls_a_line_is_part_of_a_path(separator: str) -> None:
    point = f"/home/bob/m{separator}23 1 8:2 / /srv rw - ext4 /dev/sdb1 rw".replace(" ", "\\040")
    table = f"{ROOT}24 22 0:50 / {point} rw - fuse.sshfs bob@x:/ rw\n"
    assert [mount.point for mount in parse(table.encode())] == ["/", point.replace("\\040", " ")]


def _points(*lines: str) -> list[str]:
    return [mount.point for mount in data(parse("\n".join([ROOT.rstrip(), *lines]).encode()))]


_ID = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("point", "what"),
    [
        # moby, storage drivers zfs and devicemapper; the data folder may be anywhere
        (f"/var/lib/docker/zfs/graph/{_ID}", f"zfs rpool/var/lib/docker/{_ID}"),
        (f"/tank/engine/zfs/graph/{_ID}-init", f"zfs tank/engine/{_ID}-init"),
        ("/mnt/x/docker/zfs/graph/p5h0xn2qv8i6m4k1w3y7z9abc", "zfs x/d/p5h0xn2qv8i6m4k1w3y7z9abc"),
        (f"/app/docker/devicemapper/mnt/{_ID}", "xfs /dev/mapper/docker-253:0-1"),
        (f"/var/lib/containers/storage/zfs/graph/{_ID}", f"zfs rpool/{_ID}"),
        # containerd and Kubernetes
        (f"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{_ID}/rootfs", "zfs t/1"),
        ("/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/a/rootfs", "ext4 /dev/dm-9"),
        ("/var/lib/kubelet/pods/0a1b-4c/volumes/kubernetes.io~csi/pvc-1/mount", "ext4 /dev/sde"),
        (f"/var/lib/kubelet/plugins/kubernetes.io/csi/a/{_ID}/globalmount", "ext4 /dev/rbd0"),
        ("/var/snap/microk8s/common/var/lib/kubelet/pods/a/volumes/b", "ext4 /dev/sde"),
        ("/var/lib/containerd-stargz-grpc/snapshotter/snapshots/7/fs", "fuse.rawBridge stargz"),
        # LXD and Incus
        ("/var/snap/lxd/common/lxd/storage-pools/default/containers/web", "zfs d/containers/web"),
        ("/var/lib/incus/storage-pools/fast/custom/default_data", "ext4 /dev/fast/custom_data"),
        # desktops
        ("/tmp/.mount_CursorAbCdEf", "fuse.Cursor-0.45.AppImage Cursor-0.45.AppImage"),
        ("/run/user/1000/doc", "fuse.portal portal"),
        ("/run/user/1000/kio-fuse-AbC", "fuse.kio-fuse kio-fuse"),
        ("/var/tmp/flatpak-cache-1XYZ/org.a", "fuse.revokefs-fuse revokefs-fuse"),
        ("/home/me/.gvfs", "fuse.gvfs-fuse-daemon gvfs-fuse-daemon"),
        ("/snap/core/1", "squashfs /dev/loop3"),
        ("/snap/core/1", "fuse.squashfuse squashfuse"),
        # containers seen from inside
        ("/proc/uptime", "fuse.lxcfs lxcfs"),
        ("/proc/sys", "fuse sysboxfs"),
        # backups
        ("/mnt/vzsnap0", "ext4 /dev/mapper/pve-snap_vm--101--disk--0_vzdump"),
        ("/run/timeshift/1234/backup", "ext4 /dev/sdc1"),
        # Windows' subsystem for Linux
        ("/usr/lib/wsl/drivers", "9p none"),
    ],
)
def test_what_programs_mount_for_themselves_is_left_out(point: str, what: str) -> None:
    assert _points(f"40 24 0:70 / {point} rw - {what} rw") == ["/"]


@pytest.mark.parametrize(
    "line",
    [
        "40 24 0:70 / /var/lib/docker rw - zfs rpool/docker rw",
        "40 24 7:2 / /var/lib/docker rw - btrfs /dev/loop2 rw",  # Unraid
        "40 24 0:70 / /var/lib/docker/volumes/media/_data rw - nfs4 nas:/media rw",
        "40 24 8:64 / /var/lib/kubelet rw - xfs /dev/sde rw",
        "40 24 8:64 / /run/media/me/2A3F-11D0 rw - vfat /dev/sde1 rw",
        "40 24 8:64 / /media/me/7c9a1c1e-0c4e-4c8c-9b60-2b1c6a3d9f11 rw - ext4 /dev/sde1 rw",
        "40 24 0:70 / /rpool/data/subvol-101-disk-0 rw - zfs rpool/data/subvol-101-disk-0 rw",
        "40 24 0:70 / /var/lib/incus/storage-pools/fast rw - btrfs /dev/sde rw",
        "40 24 0:70 / /mnt/user rw - fuse.shfs shfs rw",
        "40 24 0:70 / /mnt/dav rw - fuse https://cloud.example/dav rw",
        "40 24 0:70 / /overlay rw - ubifs ubi0_1 rw",
    ],
)
def test_what_people_mounted_is_told(line: str) -> None:
    assert _points(line) == ["/", line.split()[4]]


@pytest.mark.parametrize(
    "line",
    [
        "40 24 0:70 / /etc/pve rw,nosuid - fuse /dev/fuse rw,user_id=0,group_id=0",  # Proxmox
        "40 24 0:70 / /m rw - fuse https://webdav.example/ rw",  # davfs2
        "40 24 0:70 / /m rw - fuse borgfs ro",
        "40 24 0:70 / /m rw - fuse.glusterfs gluster:/a rw",
        "40 24 0:70 / /m rw - ceph 10.0.0.1:6789:/ rw",
        "40 24 8:80 / /m rw - ocfs2 /dev/sdf rw",
        "40 24 8:80 / /m rw - gfs2 /dev/sdf rw",
        "40 24 8:80 / /m rw - somethingnew /dev/sdf rw",
    ],
)
def test_what_is_not_known_to_answer_from_memory_may_hang(line: str) -> None:
    root, other = data(parse(f"{ROOT}{line}".encode()))
    assert (root.slow, other.slow) == (False, True)


@pytest.mark.parametrize(
    "lines",
    [
        # systemd: the trigger is covered by what it mounts
        "30 24 0:40 / /boot rw - autofs systemd-1 rw\n31 30 8:3 / /boot rw - vfat /dev/sda3 rw",
        "30 24 0:40 / /nas rw - autofs systemd-1 rw\n31 30 0:41 / /nas rw - nfs4 nas:/a rw",
        # a map of autofs: below it
        "30 24 0:40 / /net rw - autofs /etc/auto.net rw\n31 30 0:41 / /net/n rw - nfs4 nas:/a rw",
    ],
)
def test_what_is_mounted_on_demand_is_marked(lines: str) -> None:
    root, other = data(parse(f"{ROOT}{lines}".encode()))
    assert (root.on_demand, root.slow) == (False, False)
    assert (other.on_demand, other.slow) == (True, True)


def test_below_a_root_that_may_hang_nothing_is_slow_for_that() -> None:
    table = (
        "24 1 0:26 / / rw - zfs rpool/ROOT/pve-1 rw\n25 24 8:2 / /boot/efi rw - vfat /dev/sda2 rw"
    )
    assert [mount.slow for mount in data(parse(table.encode()))] == [True, False]


@pytest.mark.parametrize(
    ("line", "failed"),
    [
        ("40 24 8:2 / /m rw - ext4 /dev/sda2 ro,errors=remount-ro", True),  # before Linux 6.12
        ("40 24 8:2 / /m rw - ext4 /dev/sda2 rw,errors=remount-ro,emergency_ro", True),  # 6.15
        ("40 24 8:2 / /m rw - ext4 /dev/sda2 rw,shutdown", True),
        ("40 24 0:40 / /m rw - btrfs /dev/sda2 ro,subvol=/", True),
        ("40 24 8:2 / /m rw - vfat /dev/sda2 ro,errors=remount-ro", True),
        ("40 24 8:2 / /m ro - ext4 /dev/sda2 ro", False),  # by wish
        ("40 24 8:2 / /m ro - ext4 /dev/sda2 rw", False),  # a sandbox
        ("40 24 0:40 / /m rw - zfs tank/m ro", False),  # its property
        ("40 24 8:2 / /m rw - ext4 /dev/sda2 rw", False),
    ],
)
def test_turned_read_only_by_itself(line: str, failed: bool) -> None:
    (mount,) = parse(line.encode())
    assert mount.failed is failed
    assert mount.read_only or not failed


def test_a_sandbox_does_not_hide_that() -> None:
    """Where all is shown read-only, init's table tells."""
    own = data(parse(b"40 24 8:2 / / ro - ext4 /dev/sda2 ro"))

    class Files(KernelFiles):
        def read(self, path: str, *, keep: bool = True) -> bytes:
            assert path == "/proc/1/mountinfo"
            return b"40 24 8:2 / / rw - ext4 /dev/sda2 ro"

    assert [mount.failed for mount in failures(Files(), own)] == [True]

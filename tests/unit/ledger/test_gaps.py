"""What a cgroup counted beyond its processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.ledger.host import Host, labelled

from publisher.ledger import LedgerSettings, open_ledger
from publisher.sources import Sources
from publisher.sources.files import KernelFiles

UNIT = "sys/fs/cgroup/system.slice/backup.service"


def machine(root: Path, *, own: int, counted: int) -> Path:
    """Init and one unit: its process used ``own`` ticks, its cgroup ``counted``."""
    files = {
        "proc/stat": "cpu  100 0 0 0 0 0 0 0 0 0\ncpu0 1 0 0 0 0 0 0 0 0 0\nprocesses 9\n",
        "proc/loadavg": "0 0 0 1/2 700\n",
        "proc/uptime": "1000.0 900.0\n",
        "proc/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
        "proc/1/cgroup": "0::/init.scope\n",
        "proc/1/cmdline": "/sbin/init\0",
        "proc/700/cgroup": "0::/system.slice/backup.service\n",
        "proc/700/cmdline": "/usr/bin/restic\0",
        "sys/fs/cgroup/init.scope/cpu.stat": "usage_usec 1\n",
        "sys/fs/cgroup/system.slice/cpu.stat": f"usage_usec {counted * 10_000}\n",
        f"{UNIT}/cpu.stat": f"usage_usec {counted * 10_000}\n",
        f"{UNIT}/io.stat": f"8:0 rbytes={counted * 100} wbytes={counted * 200}\n",
        f"{UNIT}/cpu.pressure": f"some avg10=1.00 avg60=1.00 avg300=1.00 total={counted * 700}\n",
    }
    for pid, parent, name, used in ((1, 0, "systemd", 5), (700, 1, "restic", own)):
        files[f"proc/{pid}/stat"] = (
            f"{pid} ({name}) S {parent} {pid} {pid} 0 -1 4194560 0 0 0 0 {used} 0 0 0 20 0 1 0 "
            f"{pid} 0 5000 0 0\n"
        )
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_what_a_cgroup_counted_beyond_its_processes_is_its_own(tmp_path: Path) -> None:
    ledger = open_ledger(
        Sources(files=KernelFiles(machine(tmp_path, own=10, counted=100))), LedgerSettings()
    )
    ledger.sample()
    machine(tmp_path, own=60, counted=250)
    balance = ledger.sample()
    machine(tmp_path, own=70, counted=260)
    after = ledger.sample()
    ledger.close()
    assert balance is not None
    assert after is not None
    (account,) = [a for a in balance.accounts if a.group.label == "backup"]
    assert account.cpu_seconds == pytest.approx(1.5)
    assert account.short_lived_seconds == pytest.approx(1.0)
    assert balance.unattributed_seconds == 0
    (account,) = [a for a in after.accounts if a.group.label == "backup"]
    assert account.cpu_seconds == pytest.approx(0.1), "what was given once is not given again"
    assert account.disk_read_bytes_per_second is not None
    assert account.wait_seconds == pytest.approx(0.007), "by the unit's pressure"


def test_a_unit_that_was_started_again_has_what_its_new_cgroup_counts(host: Host) -> None:
    unit = "/system.slice/backup.service"
    host.start(700, 1, "restic", command="restic", cgroup=unit)
    host.cgroup(unit, 5000)
    host.open()
    host.sample()
    host.end(700)
    host.start(701, 1, "restic", command="restic", cgroup=unit, own=10)
    host.others += 50
    host.cgroup(unit, 60)
    assert labelled(host.sample(), "backup").cpu_seconds == pytest.approx(0.6)

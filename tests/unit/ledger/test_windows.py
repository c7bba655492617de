"""The ledger over many windows, on a machine made of files: what it keeps, and what it lets go."""

from __future__ import annotations

import gc
import os
import shutil
from typing import TypeVar

import pytest
from unit.ledger.host import KERNEL, MB, Host, labelled

from publisher.ledger import Balance, LedgerSettings
from publisher.ledger.cpu.process import Process
from publisher.ledger.ledger import open_ledger
from publisher.ledger.open_accounts import CgroupCounter, OpenAccount

T = TypeVar("T")


def used(balance: Balance, key: str) -> float:
    return sum(a.cpu_seconds for a in balance.accounts if a.group.key == key)


def alive_objects(kind: type[T]) -> list[T]:
    """All that is still kept of a kind."""
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, kind)]


def counters() -> set[str]:
    """The cgroups whose counters are kept."""
    return {counter.path for counter in alive_objects(CgroupCounter)}


def test_what_has_ended_is_free_without_the_collector(host: Host) -> None:
    """It comes seldom: what waits for it on a machine where everything churns is megabytes."""
    host.start(10, 1, "sshd", command="/usr/sbin/sshd")
    host.open()
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, OpenAccount | Process) for one in gc.get_objects())
        for number in range(100, 140):
            host.start(number, 10, f"job-{number}", command=f"/opt/job-{number}", own=50)
            host.start(number + 100, number, "helper", command=f"helper {number}", own=20)
            host.sample()
            host.end(number + 100)
            host.end(number)
        for _ in range(12):
            host.sample()
        after = sum(isinstance(one, OpenAccount | Process) for one in gc.get_objects())
    finally:
        gc.enable()
    assert after <= before + 4


def test_a_kernel_thread_is_what_it_works_for(host: Host) -> None:
    host.start(50, 2, "kworker/u8:2-events", flags=KERNEL)
    host.open()
    host.work(50, 100)
    assert used(host.sample(), "kernel:kworker events") == pytest.approx(1.0)
    host.show(50, comm="kworker/u8:2+kcryptd")
    host.work(50, 70)
    balance = host.sample()
    assert used(balance, "kernel:kworker kcryptd") == pytest.approx(0.7)
    assert used(balance, "kernel:kworker events") == 0


def test_a_session_manager_is_not_charged_with_the_orphans_it_waits_for(host: Host) -> None:
    host.start(700, 1, "systemd", command="/lib/systemd/systemd --user", cgroup="/user.slice/m")
    host.start(710, 700, "runsv", command="runsv web", cgroup="/user.slice/m")
    host.cgroup("/user.slice/m", 0)
    host.open()
    host.reap(700, 100)
    balance = host.sample()
    assert used(balance, "program:systemd") == 0
    assert balance.unattributed_seconds == pytest.approx(1.0)
    host.reap(710, 100)
    balance = host.sample()
    assert used(balance, "program:runsv") == pytest.approx(1.0), "its own children, no orphans"


# -- jobs and the numbers of their leaders -----------------------------------------------------


def prompt(host: Host) -> int:
    host.start(800, 1, "sshd", command="/usr/sbin/sshd")
    host.start(801, 800, "bash", command="-bash")
    return 801


def test_an_orphan_belongs_to_the_job_whose_leader_just_died(host: Host) -> None:
    shell = prompt(host)
    host.open()
    host.start(900, shell, "make", command="make all", session=shell, own=5)
    host.sample()
    host.end(900)
    host.start(902, 1, "cc1", command="cc1 a.c", group=900, session=shell, own=40)
    assert labelled(host.sample(), "make all").cpu_seconds == pytest.approx(0.4, abs=0.06)


def test_a_number_tells_its_job_while_one_of_its_orphans_lives(host: Host) -> None:
    shell = prompt(host)
    host.open()
    host.start(900, shell, "make", command="make all", session=shell, own=5)
    host.sample()
    host.end(900)
    host.start(902, 1, "cc1", command="cc1 a.c", group=900, session=shell, own=40)
    host.sample(20)
    host.start(904, 1, "as", command="as a.s", group=900, session=shell, own=30)
    assert labelled(host.sample(), "make all").cpu_seconds == pytest.approx(0.3)


def test_a_number_used_again_does_not_make_a_stranger_part_of_an_old_job(host: Host) -> None:
    shell = prompt(host)
    host.open()
    host.start(900, shell, "make", command="make all", session=shell, own=5)
    host.start(901, shell, "make", command="make all", session=shell, own=5)
    host.sample()
    host.end(900)
    host.sample(5)
    host.start(902, 1, "miner", command="miner", group=900, session=900, own=80)
    balance = host.sample()
    assert labelled(balance, "miner").cpu_seconds == pytest.approx(0.8)


def test_a_loop_at_a_prompt_leaves_no_numbers_behind(host: Host) -> None:
    shell = prompt(host)
    host.open()
    for pid in range(1000, 1060):
        host.start(pid, shell, "sleep", command="sleep 2", session=shell)
        host.sample()
        host.end(pid)
    host.sample(5)
    assert not [one for one in alive_objects(Process) if one.pid >= 1000]


def test_who_has_the_number_of_whoever_started_fanwhy_is_nobodys_host(host: Host) -> None:
    own = os.getpid()
    terminal = own + 1
    host.start(terminal, 1, "python3", command="python3 starter.py")
    host.start(own, terminal, "fanwhy-pub")
    host.open()
    ledger = open_ledger(host.sources, LedgerSettings(attribution="light"))
    ledger.sample()
    shell = prompt(host)
    host.show(own, parent=1)
    host.end(terminal)
    host.now += 2.0
    host.start(terminal, shell, "make", command="make all", own=1)
    host.start(terminal + 1, terminal, "cc1", command="cc1 a.c", own=60)
    host.write_totals()
    balance = ledger.sample()
    assert balance is not None
    assert labelled(balance, "make all").cpu_seconds == pytest.approx(0.61)


# -- cgroups -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [1, 12, 40])
def test_a_unit_whose_processes_are_hidden_is_found_whenever_it_begins(
    host: Host, rest: int
) -> None:
    counted = 100
    host.cgroup("/system.slice/backup.service", counted)
    host.cgroup("/system.slice", counted)
    host.open()
    named = 0.0
    for begins in range(2):
        host.sample(rest + 20 * begins)  # long enough for its account to be closed again
        for _ in range(30):
            counted += 150
            host.others += 150
            host.cgroup("/system.slice/backup.service", counted)
            host.cgroup("/system.slice", counted)
            named += used(host.sample(), "unit:backup.service")
    assert named >= 1.5 * 56, "all but the windows in which it was looked for"


def test_the_cgroups_of_sessions_that_ended_are_forgotten(host: Host) -> None:
    host.start(700, 1, "sshd", command="/usr/sbin/sshd", cgroup="/system.slice/ssh.service")
    host.open()
    for login in range(40):
        pid, scope = 1000 + 3 * login, f"/user.slice/session-{login}.scope"
        host.cgroup(scope, 0)
        host.start(pid, 700, "sshd", command="/usr/sbin/sshd", cgroup=scope, own=2)
        host.start(pid + 1, pid, "bash", command="-bash", cgroup=scope, own=2)
        host.start(pid + 2, pid + 1, "make", command="make all", cgroup=scope, own=9)
        host.sample()
        if login == 0:  # a look at all objects there are takes its time
            assert scope in counters()
        for one in (pid + 2, pid + 1, pid):
            host.end(one)
        shutil.rmtree(host.root / f"sys/fs/cgroup{scope}")
    host.sample(9)
    assert not [name for name in counters() if "session-" in name]


def test_a_cgroup_keeps_its_tally_while_somebody_sits_in_it(host: Host) -> None:
    scope = "/user.slice/session-1.scope"
    host.cgroup(scope, 0)
    host.start(700, 1, "sshd", command="/usr/sbin/sshd", cgroup=scope)
    host.open()
    (host.root / f"sys/fs/cgroup{scope}/cpu.stat").unlink()  # unreadable for a while
    host.sample(20)
    assert scope in counters()
    host.cgroup(scope, 0)
    host.work(700, 50)
    balance = host.sample()
    assert used(balance, "program:sshd") == pytest.approx(0.5)


# -- disks and memory --------------------------------------------------------------------------


def test_bytes_of_windows_in_which_nobody_looked_are_not_of_this_window(host: Host) -> None:
    """A database reads 2 MB a window all the time, but two dozen others use more of the CPU."""
    for pid in range(100, 126):
        host.start(pid, 1, f"w{pid}", command=f"w{pid}")
        host.moved_bytes(pid, 0)
    host.start(90, 1, "db", command="db")
    host.moved_bytes(90, 0)
    host.open()

    def window(number: int, ticks: int) -> float | None:
        for pid in range(100, 126):
            host.work(pid, 2)
        host.work(90, ticks)
        host.moved_bytes(90, 2 * MB * number)
        read = labelled(host.sample(), "db").disk_read_bytes_per_second
        return None if read is None else 2 * read

    assert window(1, 3) == 0, "what came before the first look is not to be told"
    for number in range(2, 30):
        assert window(number, 1) is None
    read = window(30, 3)
    assert read is not None
    assert 2 * MB <= read < 8 * MB
    assert window(31, 3) == pytest.approx(2 * MB)


def test_the_life_of_a_process_before_the_first_look_is_not_of_this_window(host: Host) -> None:
    for pid in range(100, 126):
        host.start(pid, 1, f"w{pid}", command=f"w{pid}")
        host.moved_bytes(pid, 0)
    host.open()
    host.sample()
    host.start(200, 1, "dd", command="dd", own=1)
    for number in range(1, 30):
        for pid in range(100, 126):
            host.work(pid, 2)
        host.work(200, 1)
        host.moved_bytes(200, 2 * MB * number)
        host.sample()
    host.work(200, 3)
    host.moved_bytes(200, 2 * MB * 30)
    read = labelled(host.sample(), "dd").disk_read_bytes_per_second
    assert read is not None
    assert 2 * MB <= 2 * read < 8 * MB


def test_all_that_a_new_process_read_is_of_its_first_window(host: Host) -> None:
    host.open()
    host.sample()
    host.start(200, 1, "dd", command="dd", own=20)
    host.moved_bytes(200, 100 * MB)
    read = labelled(host.sample(), "dd").disk_read_bytes_per_second
    assert read == pytest.approx(50 * MB)


@pytest.mark.parametrize("readable", [True, False])
def test_a_cgroups_bytes_of_windows_in_which_nobody_looked_are_not_of_this_one(
    host: Host, *, readable: bool
) -> None:
    """Its pages are written by the kernel, while its process sleeps."""
    unit = "/system.slice/db.service"
    host.cgroup(unit, 0)
    host.start(90, 1, "db", command="db", cgroup=unit)
    host.open()

    looks = [3, 2, 1]

    def window(number: int, ticks: int) -> float | None:
        host.work(90, ticks)
        if readable and ticks:
            host.moved_bytes(90, 2 * MB * looks.pop())
        host.write(f"sys/fs/cgroup{unit}/io.stat", f"8:0 rbytes={2 * MB * number} wbytes=0\n")
        balance = host.sample()
        found = [a for a in balance.accounts if a.group.label == "db"]
        return found[0].disk_read_bytes_per_second if found else None

    window(1, 5)
    assert window(2, 5) == pytest.approx(1 * MB)
    for number in range(3, 40):
        window(number, 0)
    read = window(40, 5)
    assert read == pytest.approx(1 * MB)


def test_growth_is_told_of_those_alone_who_are_watched(host: Host) -> None:
    for pid in range(100, 107):
        host.start(pid, 1, f"w{pid}", command=f"w{pid}", pages=1000 * (110 - pid))
    host.open()
    balances = []
    for step in range(30):
        host.show(100, pages=50_000 + 1000 * step)
        balances.append(host.sample())
    growth = labelled(balances[-1], "w100").memory_growth_bytes_per_second
    assert growth is not None
    assert growth > MB
    host.show(100, pages=100)
    host.work(100, 10)
    host.sample(20)
    host.work(100, 10)
    assert labelled(host.sample(), "w100").memory_growth_bytes_per_second is None


# -- clocks ------------------------------------------------------------------------------------


def test_when_a_group_began_follows_a_wall_clock_that_is_set(host: Host) -> None:
    host.start(700, 1, "jellyfin", command="jellyfin")
    host.open()
    host.work(700, 50)
    before = labelled(host.sample(), "jellyfin").since
    assert before == pytest.approx(host.wall - 1000.0 + 0.01, abs=3)
    host.wall += 259_200.0
    host.work(700, 50)
    after = labelled(host.sample(), "jellyfin").since
    assert after == pytest.approx(host.wall - 1000.0 + 0.01, abs=3)
    host.wall += 0.3
    host.work(700, 50)
    host.wall -= 2.0  # as much as the uptime of this machine stands still
    assert labelled(host.sample(), "jellyfin").since == after


@pytest.mark.parametrize(
    "loadavg",
    [
        "0.50 0.40 0.30 1/60 140\n",  # frozen
        "0.50 0.40 0.30 3/4000 3141592\n",  # of a host with numbers of its own
        "0.00 0.00 0.00 0/0 0\n",  # a sandbox that tells nothing
        "",
    ],
)
def test_a_load_average_of_somebody_else_hides_no_new_process(host: Host, loadavg: str) -> None:
    def window() -> Balance:
        host.now += 2.0
        host.write_totals()
        host.write("proc/loadavg", loadavg)
        balance = host.ledger.sample()
        assert balance is not None
        return balance

    for pid in range(100, 140):  # so many that a few numbers more are tried, not all listed
        host.start(pid, 1, "sleep", command="sleep 600")
    host.write_totals()
    host.write("proc/loadavg", loadavg)
    assert host.ledger.sample() is None
    window()
    host.start(150, 1, "stress", command="/usr/bin/stress")
    host.work(150, 190)

    assert [each.group.label for each in window().accounts if each.cpu_seconds > 1] == ["stress"]

"""What a group is called and told by, once the process that works most in it was looked at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from publisher.ledger.accounts import Account
from publisher.ledger.described import DescribedLedger
from publisher.ledger.ledger_settings import LedgerSettings
from publisher.sources.containers import Container
from publisher.sources.described import DescribedProcess

SHELL = "bash", "-bash", "/usr/bin/bash"
LEDGER = DescribedLedger(LedgerSettings())


def account(
    *chain: tuple[str, str, str], place: str = "/", container: Container | None = None
) -> Account:
    """The account of the last of a chain of processes, each the child of the one before it.

    Args:
        chain: each one's kernel name, command line and executable; a command line that begins
            with a tab is one word, as a title is.
        place: the cgroup of all.
        container: what is known of the container.
    """
    init = DescribedProcess(pid=1, parent=0, comm="systemd", argv=("/sbin/init",))
    processes = [init]
    for pid, (comm, line, executable) in enumerate(chain, 100):
        words = (line[1:],) if line.startswith("\t") else tuple(line.split())
        processes.append(
            DescribedProcess(
                pid=pid,
                parent=processes[-1].pid,
                comm=comm,
                argv=words,
                executable=executable,
                cgroups=f"0::{place}\n",
                session=100,
            )
        )
    found = LEDGER.account(processes, processes[-1].pid, container)
    assert found is not None
    return found


def test_the_childs_interpreter_runs_the_childs_script() -> None:
    found = account(
        SHELL,
        ("convert-all.sh", "/bin/bash /home/bob/convert-all.sh", "/usr/bin/bash"),
        ("python3", "python3 /opt/tools/scale.py --all", "/usr/bin/python3.11"),
    )
    clues = found.clues
    assert found.group.label == "convert-all.sh"
    assert (clues.script, clues.interpreter) == ("convert-all.sh", "bash")
    assert (clues.program, clues.worker_script) == ("python", "scale.py")
    assert clues.executable == "/usr/bin/python3.11"
    assert clues.ancestors == ("convert-all.sh", "bash")


def test_a_script_of_its_own_has_no_other() -> None:
    clues = account(SHELL, ("python3", "python3 train.py", "/usr/bin/python3.11")).clues
    assert (clues.script, clues.interpreter, clues.worker_script) == ("train.py", "python", "")


@pytest.mark.parametrize(
    "title", ["puma 6.4.0 (tcp://0.0.0.0:3000) [app]", "puma: cluster worker 0: 123 [app]"]
)
def test_a_worker_goes_by_its_title(title: str) -> None:
    master = ("ruby", "\tpuma 6.4.0 (tcp://0.0.0.0:3000) [app]", "/usr/bin/ruby3.1")
    worker = ("ruby", f"\t{title}", "/usr/bin/ruby3.1")
    for chain in ((master,), (master, worker)):
        clues = account(*chain, place="/system.slice/shop.service").clues
        assert (clues.program, clues.members, clues.disguise) == ("puma", ("puma",), "")


def test_a_line_of_shell_is_called_by_what_it_does_now() -> None:
    words = ("bash", "-c", "restic init; restic backup /x")
    init = DescribedProcess(pid=1, parent=0, comm="systemd", argv=("/sbin/init",))
    shell = DescribedProcess(pid=100, parent=1, comm="bash", argv=("-bash",), session=100)
    root = DescribedProcess(pid=101, parent=100, comm="bash", argv=words, session=100)
    deeper = replace(root, pid=102, parent=101)
    tool = DescribedProcess(
        pid=103, parent=102, comm="restic", argv=("restic", "backup", "/x"), session=100
    )
    found = LEDGER.account([init, shell, root, deeper, tool], 103)
    assert found is not None
    assert (found.group.label, found.clues.command) == ("restic backup", "restic backup")
    assert found.group.key.endswith(":restic init"), "who reads it knows it again"


def test_a_script_and_the_program_in_it_are_one_group() -> None:
    found = account(
        SHELL,
        ("fio-disk.sh", "/bin/bash ./fio-disk.sh", "/usr/bin/bash"),
        ("fio", "fio --name=x --filename=/x", "/usr/bin/fio"),
        ("fio", "fio --name=x --filename=/x", "/usr/bin/fio"),
    )
    assert (found.group.label, found.process_count) == ("fio-disk.sh", 3)


@pytest.mark.parametrize(
    ("above", "place", "child", "label"),
    [
        (
            ("supervisord", "/usr/bin/python3 /usr/bin/supervisord -n", "/usr/bin/python3.11"),
            "/system.slice/supervisor.service",
            ("python3", "python3 /srv/queue.py", "/usr/bin/python3.11"),
            "queue.py",
        ),
        (
            ("PM2 v5.3.0: God", "\tPM2 v5.3.0: God Daemon (/root/.pm2)", "/usr/bin/node"),
            "/system.slice/pm2-root.service",
            ("node /srv/shop/", "\tnode /srv/shop/index.js", "/usr/bin/node"),
            "shop",
        ),
        (
            ("s6-supervise", "s6-supervise web", "/usr/bin/s6-supervise"),
            "/",
            ("nginx", "\tnginx: master process nginx", "/usr/sbin/nginx"),
            "nginx",
        ),
        (
            ("run-parts", "run-parts --report /etc/cron.daily", "/usr/bin/run-parts"),
            "/",
            ("rotate-all", "/bin/sh /etc/cron.daily/rotate-all", "/usr/bin/dash"),
            "rotate-all",
        ),
        (
            ("slurmstepd", "\tslurmstepd: [123.batch]", "/usr/sbin/slurmstepd"),
            "/",
            ("python3", "python3 train.py", "/usr/bin/python3.11"),
            "train.py",
        ),
    ],
)
def test_who_starts_services_and_jobs_is_looked_through(
    above: tuple[str, str, str], place: str, child: tuple[str, str, str], label: str
) -> None:
    assert account(above, child, place=place).group.label == label


def test_the_job_below_a_login_is_the_job() -> None:
    sshd = ("sshd", "\tsshd: bob@notty", "/usr/sbin/sshd")
    found = account(sshd, ("rsync", "rsync --server --sender . /x", "/usr/bin/rsync"))
    assert (str(found.group.kind), found.group.label) == ("job", "rsync")
    found = account(
        sshd,
        ("bash", "bash -c borg", "/usr/bin/bash"),
        ("borg", "/usr/bin/python3 /usr/bin/borg serve", "/usr/bin/python3.11"),
    )
    assert (found.group.label, found.clues.script) == ("borg serve", "borg")


# -- disguises -------------------------------------------------------------------------------


def test_what_only_calls_itself_a_kernel_thread_is_none() -> None:
    found = account(("kworker/0:2", "\t[kworker/0:2]", "/usr/bin/x"))
    assert str(found.group.kind) == "program"
    assert (found.group.label, found.clues.program) == ("kworker", "kworker")
    assert found.clues.disguise == "calls itself a kernel thread, and is none"
    emptied = account(("kswapd0", "", "/home/bob/kswapd0"))
    assert emptied.clues.disguise == "calls itself a kernel thread, and is none"


def test_an_executable_that_contradicts_the_name() -> None:
    clues = account(("rsync", "rsync", "/usr/bin/perl")).clues
    assert (clues.program, clues.disguise) == ("rsync", "calls itself rsync, is perl")
    deleted = account(("sshd", "sshd", "/tmp/sshd (deleted)")).clues
    assert deleted.executable == "/tmp/sshd"
    assert deleted.disguise.startswith("calls itself sshd, ")
    assert account(("rsync", "rsync -a x y", "/usr/bin/rsync")).clues.disguise == ""


def test_a_copy_that_a_program_starts_of_itself_has_its_name() -> None:
    found = account(("exe", "/proc/self/exe --type=renderer", "/opt/google/chrome/chrome"))
    assert (found.group.label, found.clues.program) == ("chrome", "chrome")


def test_the_options_of_a_miner_are_noticed() -> None:
    line = "./app -o stratum+tcp://pool.example:3333 -u zqsecretjx"
    found = account(("app", line, "/home/bob/app"))
    assert found.clues.mining
    assert "zqsecretjx" not in repr(found)
    assert not account(("app", "./app -o out.txt", "/home/bob/app")).clues.mining


# -- places ----------------------------------------------------------------------------------


def test_a_unit_in_a_container_is_both() -> None:
    found = account(
        ("node", "node /usr/src/app/dist/main.js", "/usr/bin/node"),
        place="/lxc/112/ns/system.slice/immich.service",
    )
    assert (str(found.group.kind), found.group.label) == ("container", "immich (112)")
    assert (found.clues.unit, found.clues.container_name) == ("immich.service", "112")
    assert found.group.key == "container:lxc:112/immich.service"


def test_a_container_in_a_container_is_called_by_what_runs_in_it() -> None:
    found = account(
        ("postgres", "postgres -D /x", "/usr/bin/postgres"),
        place=f"/lxc/112/ns/system.slice/docker-{'ab' * 32}.scope",
    )
    assert (found.group.label, found.clues.container_name) == ("postgres (112)", "112")


def test_a_virtual_machine_has_its_name() -> None:
    found = account(
        ("kvm", "/usr/bin/kvm -id 100 -name win10,debug-threads=on", "/usr/bin/kvm"),
        place="/qemu.slice/100.scope",
    )
    assert (str(found.group.kind), found.group.label) == ("container", "win10")


def test_a_virtual_machine_is_no_helper_that_began_before_it() -> None:
    helper = ("swtpm", "swtpm socket --tpmstate dir=/x --daemon", "/usr/bin/swtpm")
    line = "/usr/bin/kvm -id 101 -name truenas,debug-threads=on -no-shutdown"
    found = account(helper, ("kvm", line, "/usr/bin/qemu"), place="/qemu.slice/101.scope")
    assert (found.group.label, found.clues.container_name) == ("truenas", "truenas")
    assert account(helper, place="/qemu.slice/102.scope").group.label == "102"


def test_a_virtual_machine_has_its_owners_name_and_not_the_one_that_systemd_takes() -> None:
    line = "/usr/bin/qemu-system-x86_64 -name guest=win_11,debug-threads=on -S"
    found = account(
        ("qemu-system-x86", line, "/usr/bin/qemu-system-x86_64"),
        place=r"/machine.slice/machine-qemu\x2d1\x2dwin11.scope/libvirt/emulator",
    )
    assert (found.group.label, found.called) == ("win_11", "win_11")


def test_virtual_machines_that_a_service_keeps_are_each_their_own() -> None:
    daemon = ("incusd", "incusd --group incus-admin", "/usr/bin/incusd")
    guest = ("qemu-system-x86", "/opt/incus/bin/qemu-system-x86_64 -S -name win11 -uuid 1", "/q")
    kept = account(daemon, guest, place="/system.slice/incus.service")
    assert (kept.group.key, kept.group.label) == ("program:win11", "win11")
    sole = account(guest, place="/system.slice/win11.service")
    assert sole.group.key == "unit:win11.service"


def test_virtual_machines_below_a_program_are_each_their_own() -> None:
    keeper = (
        "VBoxSVC",
        "/usr/lib/virtualbox/VBoxSVC --auto-shutdown",
        "/usr/lib/virtualbox/VBoxSVC",
    )
    guest = ("VBoxHeadless", "/usr/lib/virtualbox/VBoxHeadless --comment devbox --startvm 1", "/v")
    assert account(keeper, guest).group.label == "devbox"
    shell = ("bash", "-bash", "/bin/bash")
    ran = account(shell, ("run.sh", "/bin/sh /home/bob/run.sh", "/bin/dash"), guest)
    assert ran.group.label == "run.sh", "that is whose it is"


def test_the_project_of_a_container_of_incus_is_no_part_of_its_name() -> None:
    monitor = "\t[lxc monitor] /var/lib/incus/containers shop_web"
    init = ("systemd", "/sbin/init", "/usr/lib/systemd/systemd")
    found = account(("incusd", monitor, "/usr/bin/incusd"), init, place="/lxc.payload.shop_web")
    assert found.group.label == "web"
    own = account(
        ("lxc-start", "\t[lxc monitor] /var/lib/lxc shop_web", "/usr/bin/lxc-start"),
        init,
        place="/lxc.payload.shop_web",
    )
    assert own.group.label == "shop_web"


def test_what_lxc_starts_is_in_its_container_also_when_that_is_no_init() -> None:
    monitor = ("lxc-start", "/usr/bin/lxc-start -F -n 112", "/usr/bin/lxc-start")
    found = account(monitor, ("nginx", "nginx", "/usr/sbin/nginx"), place="/lxc/112/ns")
    assert found.group.key == "container:lxc:112"


def test_podmans_monitor_tells_the_name_of_its_container() -> None:
    identity = "ab" * 32
    scope = f"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{identity}.scope"
    monitor = f"/usr/bin/conmon --api-version 1 -c {identity} -u {identity} -n media --exit-dir /x"
    found = account(
        ("conmon", monitor, "/usr/bin/conmon"), ("python3", "python3 x.py", "/x"), place=scope
    )
    assert (found.group.label, found.clues.container_name) == ("media", "media")
    other = account(
        ("conmon", monitor.replace(identity, "cd" * 32), "/usr/bin/conmon"),
        ("python3", "python3 x.py", "/x"),
        place=scope,
    )
    assert other.group.label == f"podman {identity[:12]}"


def test_a_container_without_a_name_of_its_own_has_its_images() -> None:
    place = f"/system.slice/docker-{'ab' * 32}.scope"
    worker = ("nginx", "\tnginx: worker process", "/usr/sbin/nginx")
    named = account(worker, place=place, container=Container("web", "nginx:1.25"))
    assert (named.group.label, named.clues.container_name) == ("web", "web")
    nameless = account(worker, place=place, container=Container("", "me/nginx:1.25"))
    assert (nameless.group.label, nameless.clues.container_image) == ("nginx:1.25", "me/nginx:1.25")

"""What groups are called over many windows, while what works in them changes."""

from __future__ import annotations

import json

from unit.ledger.host import Host, labelled


def test_a_container_gets_its_name_when_somebody_can_tell_it(host: Host) -> None:
    identity = "ab" * 32
    scope = f"/system.slice/docker-{identity}.scope"
    host.start(700, 1, "php-fpm", cgroup=scope)
    host.open()
    host.work(700, 100)
    assert labelled(host.sample(), f"docker {identity[:12]}").cpu_seconds == 1
    facts = {"Name": "/nextcloud", "Config": {"Image": "nextcloud:30"}}
    host.write(f"var/lib/docker/containers/{identity}/config.v2.json", json.dumps(facts))
    host.sample(8)
    host.work(700, 100)
    found = labelled(host.sample(), "nextcloud")
    assert found.cpu_seconds == 1
    assert found.clues.container_image == "nextcloud:30"


def test_a_label_follows_what_works_calmly(host: Host) -> None:
    host.start(99, 1, "sshd", command="/usr/sbin/sshd", cgroup="/")
    host.start(100, 99, "bash", command="-bash", cgroup="/")
    host.start(101, 100, "bash", cgroup="/")
    host.write("proc/101/cmdline", "bash\0-c\0make clean; make all; make test\0")
    host.open()
    host.start(102, 101, "make", command="make all", own=50)
    first = labelled(host.sample(), "make all")
    assert first.group.key.endswith(":make clean")
    host.end(102)
    host.start(103, 101, "make", command="make test", own=50)
    assert labelled(host.sample(), "make all").group.key == first.group.key
    for _ in range(3):
        host.work(103, 50)
        host.sample()
    host.work(103, 50)
    assert labelled(host.sample(), "make test").group.key == first.group.key


def test_a_title_taken_later_is_seen(host: Host) -> None:
    host.start(100, 1, "ruby", command="ruby /srv/bin/rails server", cgroup="/")
    host.open()
    host.work(100, 50)
    assert labelled(host.sample(), "rails server").clues.program == "ruby"
    host.write("proc/100/cmdline", "puma 6.4.0 (tcp://0.0.0.0:3000) [app]\0\0")
    for _ in range(15):
        host.work(100, 50)
        host.sample()
    host.work(100, 50)
    assert labelled(host.sample(), "puma").clues.program == "puma"


def test_the_script_of_who_works_most_is_told(host: Host) -> None:
    host.start(100, 1, "web", command="web", cgroup="/system.slice/web.service")
    host.start(101, 100, "python3", command="python3 /srv/report.py")
    host.start(102, 100, "python3", command="python3 /srv/mail.py")
    host.open()

    def told(busy: int, idle: int) -> str:
        host.work(busy, 50)
        host.work(idle, 5)
        return labelled(host.sample(), "web").clues.worker_script

    assert [told(101, 102) for _ in range(3)] == ["report.py"] * 3
    told(102, 101)
    told(102, 101)
    assert told(102, 101) == "mail.py"


def test_two_that_read_alike_are_told_apart(host: Host) -> None:
    host.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nbob:x:1000:1000::/home/bob:/bin/sh\n")
    host.start(99, 1, "sshd", command="/usr/sbin/sshd", cgroup="/")
    host.start(100, 99, "bash", command="-bash", cgroup="/")
    host.start(101, 99, "bash", command="-bash", cgroup="/")
    host.start(200, 100, "make", command="make", cgroup="/")
    host.start(201, 101, "make", command="make", cgroup="/")
    host.start(202, 101, "gzip", command="gzip", cgroup="/")
    (host.root / "proc/200/cwd").symlink_to("/home/bob/linux")
    (host.root / "proc/201/cwd").symlink_to("/home/bob/mesa")
    host.open()
    for pid in (200, 201, 202):
        host.work(pid, 50)
    balance = host.sample()
    apart = {one.group.apart for one in balance.accounts if one.group.label == "make"}
    assert apart == {"linux", "mesa"}
    assert labelled(balance, "gzip").group.apart == ""


def test_a_container_of_proxmox_has_its_host_name_in_front_of_no_number(host: Host) -> None:
    host.write("var/lib/lxc/101/config", "lxc.uts.name = web\n")
    host.start(700, 1, "nginx", command="nginx", cgroup="/lxc/101/ns/system.slice/nginx.service")
    host.start(701, 1, "init", command="/sbin/init", cgroup="/lxc/101/ns/init.scope")
    host.start(702, 701, "php", command="php /x.php", cgroup="/lxc/101/ns/init.scope")
    host.open()
    for pid in (700, 702):
        host.work(pid, 100)
    balance = host.sample()
    assert labelled(balance, "nginx (web)").clues.container_name == "web"
    assert labelled(balance, "web").place is not None


def test_a_virtual_machine_that_nobody_may_see_has_the_name_that_its_cluster_tells(
    host: Host,
) -> None:
    host.write("etc/pve/qemu-server/101.conf", "cores: 4\nname: truenas\n")
    host.cgroup("/qemu.slice/101.scope", 0)
    host.cgroup("/qemu.slice/102.scope", 0)
    host.open()
    host.others += 100
    host.cgroup("/qemu.slice/101.scope", 100)
    balance = host.sample()
    assert "truenas" in [account.group.label for account in balance.accounts]

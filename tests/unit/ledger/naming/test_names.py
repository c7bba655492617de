"""What people would call a process, and what must never be shown of one."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.ledger.naming.names import LABEL_LIMIT, Name, Namer, clean


def describe(words: Sequence[str], comm: str, *, arguments: bool = False) -> Name:
    return Namer(arguments=arguments).describe(words, comm)


LABELS = {
    "make -j8": "make -j8",
    "make -j 8 all": "make -j",
    "make CC=clang all": "make",
    "npm run build": "npm run build",
    "npm run build -- --token abc": "npm run build",
    "git -C /srv/x push": "git",
    "git clone https://user:pw@host/x": "git clone",
    "docker login -u me -p secret": "docker login",
    "apt-get -y install nginx": "apt-get install",
    "mysql -u root -psecret": "mysql",
    "/usr/bin/rsync -a /home backup@host::x": "rsync",
    "python3.11 train.py --lr 3": "train.py",
    "python3 -m http.server 80": "python -m http.server",
    "python -u -W ignore /srv/app/main.py": "main.py",
    "python3 -c 'import os'": "python -c",
    "python3 /usr/bin/fail2ban-server -f": "fail2ban-server",
    "node /usr/lib/node_modules/npm/bin/npm-cli.js run build": "npm run build",
    "node /srv/node_modules/.bin/vite build": "vite build",
    "node --require x server.js": "server.js",
    "java -Xmx2g -cp a:b -jar /opt/x.jar --pass y": "x.jar",
    "java -cp a:b org.example.Main": "example",
    "perl backup.pl": "backup.pl",
    "sudo -u bob nice -n 5 timeout 10 gzip -9 f": "gzip",
    "sudo -Hu postgres python3 train.py": "train.py",
    "sudo -Eu plex ./encode.sh": "encode.sh",
    "timeout -vk 5 60 make": "make",
    "xargs -0n 1 gzip": "gzip",
    "strace -fo out make": "make",
    "env -u HOME LANG=C make all": "make all",
    "ionice -c 3 nice tar cf x y": "tar",
    "flock -n /run/lock/x rsync a b": "rsync",
    "flock /run/lock/x -c 'make all'": "make all",
    "nohup ./train.sh": "train.sh",
    "busybox tar c x": "tar",
    "su - bob -c 'make all'": "make all",
    "su -lc 'make all' bob": "make all",
    "numactl -N 0 --membind=0 ffmpeg -i x": "ffmpeg",
    "strace -f -o log make test": "make test",
    "xargs -n 1 -P 4 gzip": "gzip",
    "/bin/sh /usr/local/bin/backup": "backup",
    "bash -x build.sh now": "build.sh",
    "sh -c 'cd /x && FOO=1 make -j4 all && rm x'": "make -j4 all",
    "bash -c 'while true; do /usr/bin/gzip -9 x; done'": "gzip",
    "bash -c 'for i in a b; do ffmpeg -i $i; done'": "ffmpeg",
    "bash -c 'while true; do true; done'": "bash -c true",
    "sh -c 'mkdir -p out; [ -d out ] || exit; cargo build -q'": "cargo build",
    "sh -c 'dd if=/dev/sda | pigz > x.gz'": "pigz",
    "sh -c 'cp -r a b; rm -rf c'": "cp",
    "sh -c 'x=$(ls -t | head -1); chown me .; setpriv --reuid=me $x -D y'": "chown",
    "sh -c 'test -x /a || ( cd / && run-parts --report /etc/cron.daily )'": "run-parts",
    "sh -c 'python3 -c \"print(1)\" > A.java; javac A.java'": "javac",
    "sh -c 'perl -e \"print 1\"'": "perl -e",
    "sh -c 'seq 9 | xargs -n1 sh -c \"openssl dgst x\"'": "openssl dgst",
    "bash -lc 'npm run dev'": "npm run dev",
    "-bash": "bash",
    "bash --rcfile /etc/x": "bash",
    "bash /dev/fd/3": "bash",
    "/opt/app/server --password=hunter2": "server",
}


@pytest.mark.parametrize(("command", "label"), LABELS.items())
def test_labels(command: str, label: str) -> None:
    words = shlex.split(command)
    assert describe(words, words[0].rpartition("/")[2][:15]).label == label


@pytest.mark.parametrize(
    ("title", "comm", "label"),
    [
        ("nginx: worker process", "nginx", "nginx"),
        ("postgres: writer db 10.0.0.1(5432) SELECT", "postgres", "postgres"),
        ("npm run build", "npm run build", "npm run build"),
        ("sshd: bob@pts/0", "sshd", "sshd"),
        ("/opt/My App/my app", "my app", "my app"),
        ("/opt/google/chrome/chrome --type=renderer", "chrome", "chrome"),
        ("gunicorn master [secret token]", "gunicorn", "gunicorn"),
    ],
)
def test_titles_that_processes_gave_themselves(title: str, comm: str, label: str) -> None:
    assert describe([title], comm).label == label


def test_shells_that_are_told_what_to_do_are_nameless() -> None:
    nameless = ["-bash", "bash", "bash -i", "zsh -l", "bash /dev/fd/3", "sh -s", "sh"]
    for command in nameless:
        assert describe(command.split(), "sh").nameless, command
    for command in ["bash x.sh", "sh -c true", "bash -c make"]:
        assert not describe(command.split(), "sh").nameless, command


def test_without_a_command_line_the_kernels_name_remains() -> None:
    assert describe([], "kswapd0").label == "kswapd0"
    assert describe([], "").label == "unknown"
    assert describe([""], "x").label == "x"


SECRETS = [
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "https://bob:hunter2@example.org/",
    "bob@example.org",
    "token=abc",
    "--password=hunter2",
    "-phunter2",
    "d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0",
]
COMMANDS = [
    "make", "npm run", "git clone", "docker login", "python app.py", "python -m mod", "curl",
    "mysql", "sudo -u x", "env", "bash script.sh", "java -jar x.jar", "node server.js", "sh -c",
    "bash -c", "timeout 5", "openssl enc", "/opt/x/run",
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("arguments", [False, True])
def test_what_looks_like_a_secret_is_never_shown(
    secret: str, command: str, arguments: bool
) -> None:
    name = describe([*command.split(), secret], "x", arguments=arguments)
    for text in (name.label, name.command, name.script):
        assert secret not in text


@given(
    st.lists(st.text(max_size=40), min_size=1, max_size=8),
    st.text(max_size=15),
    st.booleans(),
)
def test_whatever_the_command_line_the_label_is_one_clean_line(
    words: list[str], comm: str, arguments: bool
) -> None:
    name = describe(words, comm, arguments=arguments)
    for text in (name.label, name.command, name.script, name.program):
        assert all(unicodedata.category(one)[0] != "C" for one in text)
    assert len(clean(name.label)) <= LABEL_LIMIT
    assert clean(name.label)


@given(st.sampled_from(COMMANDS[:8]), st.text(min_size=33, max_size=60))
def test_long_words_are_never_shown(command: str, word: str) -> None:
    name = describe([*command.split(), word], "x", arguments=True)
    assert word not in name.label


def test_arguments_are_shown_when_asked_for() -> None:
    words = ["rsync", "--archive", "home", "backup", "--password-file", "x=y"]
    assert describe(words, "rsync").label == "rsync"
    assert describe(words, "rsync", arguments=True).label.startswith("rsync --archive home")


def test_clean_takes_out_what_steers_a_terminal() -> None:
    assert clean("a\x1b[31mb\u202ec\nd") == "a [31mb c d"
    assert clean("x" * 100) == "x" * 59 + "…"

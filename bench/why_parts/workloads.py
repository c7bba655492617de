"""What loads the machine: real programs, and what each needs beforehand."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from why_parts.machine import cgroup_of, end, free_port, remove_cgroup, wait_for

_HELPERS = ("cc", "python3", "psql")
"""Programs that a workload needs and that do not name it."""


@dataclass(frozen=True)
class Workload:
    """Something real that loads the machine.

    Attributes:
        category: what it must be called; several where more than one is right.
        label: words of which one must be in a cause's label or in the headline.
        command: a shell's command line, run in the bench's folder, repeated until it is stopped.
        needs: programs without which it cannot run.
        setup: prepares it, given the folder; may give a way to undo it.
        state: the host's state that it must bring about, where that matters.
        words: those of which one in the headline names it and nothing else; without them the
            label's, and the programs'.
        own: the name that a person gave it, where there is one: it goes before the tool's.
    """

    name: str
    category: str
    label: str
    command: str
    needs: str = ""
    setup: Callable[[Path], Callable[[], None] | None] | None = None
    state: str = ""
    words: str = ""
    own: str = ""

    @property
    def missing(self) -> bool:
        """Whether a program is not installed without which it cannot run."""
        return any(not installed(need) for need in self.needs.split())

    @property
    def names(self) -> tuple[str, ...]:
        """Words of which one in a headline names it, in small letters."""
        programs = [need for need in self.needs.split() if need not in _HELPERS]
        words = self.words.split("|") if self.words else [*self.label.split("|"), *programs]
        return tuple(word.lower() for word in words)


def installed(program: str) -> bool:
    return (
        shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/games:/usr/sbin") is not None
    )


def compile_job(folder: Path) -> None:
    tree = folder / "tree"
    tree.mkdir(exist_ok=True)
    body = "\n".join(f"int f{i}(int x) {{ return x * {i} + (x >> {i % 30}); }}" for i in range(60))
    names = [f"unit{number}" for number in range(3000)]
    for name in names:
        (tree / f"{name}.c").write_text(f"#include <stdio.h>\n#include <stdlib.h>\n{body}\n")
    objects = " ".join(f"{name}.o" for name in names)
    (tree / "Makefile").write_text(f"all: {objects}\nclean:\n\t@rm -f *.o\n")


def npm_project(folder: Path) -> None:
    project = folder / "project"
    project.mkdir(exist_ok=True)
    (project / "package.json").write_text('{"name":"p","scripts":{"build":"node bundle.js"}}')
    (project / "bundle.js").write_text(
        "const zlib=require('zlib');const text='function f(){return 1}\\n'.repeat(40000);"
        "for(let i=0;i<400;i++)zlib.gzipSync(text.replace(/f/g,'f'+i),{level:9});"
    )


def some_files(folder: Path) -> None:
    data = folder / "data"
    if data.exists():
        return
    data.mkdir()
    for number in range(40):
        noise = os.urandom(1 << 20)
        (data / f"noise{number}").write_bytes(noise + noise.hex().encode())


def repositories(folder: Path) -> None:
    some_files(folder)
    os.environ["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "yes"
    if shutil.which("borg"):
        subprocess.run(["borg", "init", "-e", "none", folder / "borg"], check=True)
    if shutil.which("restic"):
        os.environ["RESTIC_PASSWORD"] = "bench"
        subprocess.run(
            ["restic", "init", "-r", folder / "restic"], check=True, stdout=subprocess.DEVNULL
        )


def postgres(folder: Path) -> Callable[[], None]:
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    place, port = folder / "pg", free_port()
    place.mkdir(exist_ok=True)
    folder.chmod(0o755)
    as_user: list[str] = []
    if os.getuid() == 0:
        shutil.chown(place, "postgres")
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    subprocess.run(
        [*as_user, binaries / "initdb", "-D", place / "d"], cwd="/", check=True,
        capture_output=True,
    )  # fmt: skip
    server = subprocess.Popen(
        [*as_user, binaries / "postgres", "-D", place / "d", "-p", str(port), "-k", place],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", start_new_session=True,
    )  # fmt: skip
    os.environ.update(PGHOST=str(place), PGPORT=str(port), PGUSER="postgres", PGDATABASE="postgres")
    answers = ["psql", "-c", "select 1"]
    wait_for(lambda: subprocess.run(answers, capture_output=True, check=False).returncode == 0)
    subprocess.run(["pgbench", "-i", "-q", "-s", "10"], capture_output=True, check=True)
    return lambda: end(server)


def redis(folder: Path) -> Callable[[], None]:
    port = free_port()
    os.environ["REDIS_PORT"] = str(port)
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    time.sleep(1)
    return lambda: end(server)


def nginx(folder: Path) -> Callable[[], None]:
    port = free_port()
    os.environ["WEB_PORT"] = str(port)
    (folder / "index.html").write_text("hello " * 20000)
    (folder / "nginx.conf").write_text(
        f"user root; pid {folder}/nginx.pid; error_log /dev/null; daemon off;\n"
        "events {}\n"
        f"http {{ access_log off; gzip on; gzip_comp_level 9; server {{ listen 127.0.0.1:{port};"
        f" root {folder}; }} }}\n"
    )
    server = subprocess.Popen(["nginx", "-c", folder / "nginx.conf"], start_new_session=True)
    time.sleep(1)
    return lambda: end(server)


def virus_signatures(folder: Path) -> None:
    some_files(folder)
    (folder / "own.hdb").write_text("44d88612fea8a8f36de82e1278abb02f:68:Test.File\n")


def fake_miner(folder: Path) -> None:
    source = folder / "miner.c"
    source.write_text("int main(){volatile unsigned x=1;for(;;)x=x*1103515245+12345;}")
    subprocess.run(["cc", "-O1", "-o", folder / "xmrig", source], check=True)


def training(folder: Path) -> None:
    (folder / "train.py").write_text(
        "try:\n"
        "    import numpy as np\n"
        "    w = np.random.rand(700, 700)\n"
        "    while True:\n"
        "        w = np.tanh(w @ w / 700)\n"
        "except ImportError:\n"
        "    w = 0.5\n"
        "    while True:\n"
        "        w = 3.9 * w * (1 - w)\n"
    )


def own_script(folder: Path) -> None:
    (folder / "nightly-report.py").write_text("x = 1\nwhile True:\n    x = (x * 3 + 1) % 1000003\n")


def tight_memory(folder: Path) -> Callable[[], None] | None:
    """A cgroup with less memory than the hog wants, so that it waits for memory all the time."""
    (folder / "hog.py").write_text(
        "import mmap, os\n"
        "file = os.open('big', os.O_RDWR | os.O_CREAT)\n"
        "os.ftruncate(file, 400 << 20)\n"
        "view = mmap.mmap(file, 400 << 20)\n"
        "while True:\n"
        "    for at in range(0, 400 << 20, 4096):\n"
        "        view[at] = (view[at] + 1) % 256\n"
    )
    first = Path("/sys/fs/cgroup/memory/fanwhy-bench")
    second = Path("/sys/fs/cgroup/fanwhy-bench")
    place, limit = (
        (first, "memory.limit_in_bytes") if first.parent.is_dir() else (second, "memory.max")
    )
    place.mkdir(exist_ok=True)
    (place / limit).write_text(str(64 << 20))
    os.environ["TIGHT"] = str(place)
    return lambda: remove_cgroup(place)


CONTAINER_ID = "ab12cd34ef56" * 5 + "abcd"


def container(folder: Path) -> Callable[[], None]:
    """A cgroup that is named as Docker names a container's."""
    compile_job(folder)
    entering, undo = cgroup_of(f"docker/{CONTAINER_ID}")
    os.environ["ENTER_BOX"] = entering
    return undo


WORKLOADS = (
    Workload("make", "development", "Software build", "make -s -j2 -C tree all clean", "make cc",
             compile_job,
             words="make|build|compil|cc1|gcc"),
    Workload("npm", "development", "JavaScript build", "npm run build --prefix project", "npm",
             npm_project,
             words="npm|javascript|bundle.js"),
    Workload("rsync", "backup", "rsync",
             "rsync -a --checksum --delete data/ copy/; rm -rf copy", "rsync", some_files),
    Workload("tar", "backup", "Archiving", "tar czf archive.tar.gz data", "tar gzip", some_files,
             words="tar|archiving|gzip"),
    Workload("borg", "backup", "Borg",
             "borg create --compression zstd,12 borg::$(date +%N) data", "borg", repositories),
    Workload("restic", "backup", "restic", "restic -q -r restic backup --force data", "restic",
             repositories),
    Workload("pgbench", "database", "PostgreSQL", "pgbench -n -c 4 -S -T 600", "pgbench psql",
             postgres,
             words="postgres|pgbench"),
    Workload("redis", "database", "Redis",
             "redis-benchmark -p $REDIS_PORT -q -n 10000000 -t set", "redis-server", redis,
             words="redis"),
    Workload("ffmpeg", "media", "transcod",
             "ffmpeg -v quiet -y -f lavfi -i testsrc2=size=1280x720:rate=30 -t 600 -c:v mpeg4 "
             "-f null -", "ffmpeg",
             words="ffmpeg|transcod|video"),
    Workload("training", "ai", "ML training", "python3 train.py", "python3", training,
             words="train.py|ml training"),
    Workload("nginx", "web", "nginx", "ab -q -k -c 8 -n 5000000 -H 'Accept-Encoding: gzip' "
             "http://127.0.0.1:$WEB_PORT/index.html", "nginx ab", nginx,
             words="nginx|ab|apachebench|apache benchmark"),
    Workload("apt", "updates", "APT", "apt-get -q check", "apt-get"),
    Workload("updatedb", "indexing", "index", "updatedb.plocate -U /usr -o index",
             "updatedb.plocate",
             words="updatedb|plocate|file index"),
    Workload("clamscan", "antivirus", "ClamAV", "clamscan -d own.hdb -r /usr/lib/x86_64-linux-gnu",
             "clamscan", virus_signatures,
             words="clamav|clamscan"),
    Workload("gzip", "shell", "Compression", "gzip -9 -c data/* > all.gz", "gzip", some_files,
             words="gzip"),
    Workload("xz", "shell", "Compression", "xz -9 -T2 -c data/* > all.xz", "xz", some_files,
             words="xz"),
    Workload("7z", "shell", "Compression", "7z a -bd -y all.7z data; rm -f all.7z", "7z",
             some_files,
             words="7z|7-zip|7za"),
    Workload("stress", "development", "Benchmark", "stress-ng --cpu 2 -t 600", "stress-ng",
             words="stress-ng|stress"),
    Workload("memory", "shell|unknown", "hog.py",
             "echo $$ > $TIGHT/cgroup.procs; python3 hog.py", "python3", tight_memory, "pressure"),
    Workload("disk", "shell", "File processing",
             "dd if=/dev/zero of=zeros bs=4M count=2000 oflag=direct", "dd"),
    Workload("xmrig", "cryptomining", "XMRig", "./xmrig", "cc", fake_miner),
    Workload("container", "development", "Software build",
             'eval "$ENTER_BOX"; make -s -j2 -C tree all clean', "make cc",
             container),
    Workload("script", "shell", "nightly-report.py", "python3 nightly-report.py", "python3",
             own_script),
    Workload("git", "development", "Git", "git clone -q --no-hardlinks --bare file://$SOURCE g; "
             "git -C g repack -q -a -d -f --depth=250 --window=250; rm -rf g", "git",
             words="git"),
    Workload("openssl", "shell|development", "encryption|Benchmark",
             "openssl speed -seconds 30 rsa4096", "openssl",
             words="openssl"),
    Workload("find", "shell", "File processing|Checksums",
             "find /usr -type f -exec sha256sum {} + > sums", "find",
             words="find|sha256sum|file processing|checksum"),
)  # fmt: skip

PAIRS = (("make", "borg"), ("ffmpeg", "tar"), ("training", "gzip"), ("pgbench", "restic"))


def start(workload: Workload, folder: Path, before: str = "") -> subprocess.Popen[bytes]:
    """The command again and again, from a shell with a session of its own."""
    script = f"{before}while :; do {workload.command} || exit; done"
    process = subprocess.Popen(
        ["bash", "-c", script], cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    # What else works on the machine shall not crowd it out, where we may say so.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PGRP, process.pid, -15)
    return process

"""Supervisors and an application server as their packages bring them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
from processes.harness import LIMITED, Stage, command_of
from servers import REPOSITORY, free_port, listens, program, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.timeout(240)]

TOMCAT = Path("/usr/share/tomcat10")


@contextlib.contextmanager
def visitors(port: int) -> Iterator[None]:
    """Keeps a web server at work."""
    over = Event()

    def visit() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read()

    threads = [Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def pm2() -> Path:
    """PM2's command, fetched once and kept."""
    made = subprocess.run([REPOSITORY / "scripts/pm2"], check=True, capture_output=True, text=True)
    return Path(made.stdout.strip())


def test_what_pm2_keeps_alive_is_told_by_its_script(stage: Stage, pm2: Path) -> None:
    script = stage.script("resize-worker.js", "for (let x = 1; ; ) x = (x * 3 + 1) % 1000003;\n")
    home = stage.folder / "pm2"
    environment = {**os.environ, "PM2_HOME": str(home), "PM2_DISCRETE_MODE": "true"}
    subprocess.run(
        [*LIMITED, "node", pm2, "start", script, "--name", "resizer", "--no-autorestart"],
        cwd=stage.folder, env=environment, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    stage.follow(int((home / "pm2.pid").read_text()))
    pid = int(wait_until(lambda: next(home.glob("pids/*.pid"))).read_text())
    # At first it is a file of PM2's own, which then loads the script.
    wait_until(lambda: "resize-worker.js" in command_of(pid), 30)
    answer = stage.ask(pid)
    assert answer.mentions("resize-worker.js", "resizer")


def test_what_supervisord_keeps_alive_is_told_by_its_script(stage: Stage) -> None:
    script = stage.script("queue_worker.py", "x = 1\nwhile True:\n    x = (x * 3 + 1) % 1000003\n")
    configuration = stage.script(
        "supervisord.conf",
        f"[supervisord]\nnodaemon=true\nlogfile={stage.folder}/log\npidfile={stage.folder}/pid\n"
        f"childlogdir={stage.folder}\n[program:queue]\ncommand={sys.executable} {script}\n"
        "autorestart=false\n",
    )
    manager = stage.start(program("supervisord"), "-c", configuration)
    answer = stage.ask(stage.descendant(manager, "queue_worker.py"))
    assert answer.mentions("queue_worker.py", "queue")
    assert not answer.mentions("supervisord")


def test_tomcat_is_told_as_tomcat(stage: Stage) -> None:
    base, port = stage.folder / "base", free_port()
    for name in ("conf", "logs", "temp", "webapps/ROOT", "work"):
        (base / name).mkdir(parents=True)
    (base / "webapps/ROOT/index.html").write_text("hello " * 20_000)
    (base / "conf/web.xml").write_text((Path("/etc/tomcat10") / "web.xml").read_text())
    (base / "conf/server.xml").write_text(
        '<Server port="-1"><Service name="Catalina">'
        f'<Connector port="{port}" address="127.0.0.1"/>'
        '<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps"/>'
        "</Engine></Service></Server>"
    )
    home = {"CATALINA_HOME": str(TOMCAT), "CATALINA_BASE": str(base)}
    pid = stage.start(TOMCAT / "bin/catalina.sh", "run", environment=home)
    wait_until(lambda: "org.apache.catalina.startup.Bootstrap" in command_of(pid), 30)
    wait_until(lambda: listens(port), 60, "Tomcat does not listen")
    with visitors(port):
        answer = stage.ask(pid)
    assert answer.mentions("tomcat")
    assert answer.category == "web"

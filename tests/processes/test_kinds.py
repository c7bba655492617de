"""Scripts, titles, interpreters, units and launchers: each is told by the name of its job."""

from __future__ import annotations

import base64
import sys
import zipfile

import pytest
from processes.harness import Stage
from servers import program

pytestmark = pytest.mark.processes

BURNS = "x = 1\nwhile True:\n    x = (x * 3 + 1) % 1000003\n"
MAIN_CLASS = (
    "yv66vgAAADQADwoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWBQAAAAAAAAADBw"
    "AKAQAETWFpbgEABENvZGUBAARtYWluAQAWKFtMamF2YS9sYW5nL1N0cmluZzspVgEADVN0YWNrTWFwVGFibGUAIQAJ"
    "AAIAAAAAAAIAAQAFAAYAAQALAAAAEQABAAEAAAAFKrcAAbEAAAAAAAkADAANAAEACwAAACUABAADAAAADQpAHxQAB2"
    "kKYUCn//gAAAABAA4AAAAGAAH8AAIEAAA="
)
"""``public static void main(String[] a) { for (long x = 1; ; ) x = x * 3 + 1; }``"""

TITLES = [
    ("ruby", "puma: cluster worker 0: 12 [shop]", "web", "puma"),
    ("ruby", "puma 6.4.2 (tcp://0.0.0.0:3000) [shop]", "web", "puma"),
    ("ruby", "sidekiq 7.2.0 shop [3 of 5 busy]", "", "sidekiq"),
    ("postgres", "postgres: alice shop 10.0.0.3(47110) SELECT", "database", "postgres"),
    ("postgres", "postgres: 15/main: autovacuum worker shop", "database", "postgres"),
    ("nginx", "nginx: worker process", "web", "nginx"),
    ("php-fpm8.2", "php-fpm: pool www", "web", "php"),
    ("python3.11", "gunicorn: worker [shop]", "web", "gunicorn"),
    ("python3.11", "[celeryd: celery@nas:ForkPoolWorker-1]", "", "celery"),
    ("sshd", "sshd: alice@pts/0", "remote_access", "ssh"),
    ("perl", "/usr/sbin/amavisd-new (ch1-avail)", "", "amavis"),
]


@pytest.mark.parametrize(("name", "title", "category", "word"), TITLES)
def test_a_worker_is_told_by_its_title(
    stage: Stage, name: str, title: str, category: str, word: str
) -> None:
    room = "x" * 80  # for the title
    pid = stage.start(stage.installed(name), room, title=title, comm=title[:15])
    answer = stage.ask(pid)
    assert answer.mentions(word)
    assert not set("([") & set(answer.group), answer
    assert category in ("", answer.category), answer


def test_a_night_job_is_told_by_its_script(stage: Stage) -> None:
    script = stage.script("opt/nightly.sh", "#!/bin/bash\ngzip -9 < /dev/urandom > /dev/null\n:\n")
    job = stage.start(script)
    answer = stage.ask(stage.descendant(job, "gzip"))
    assert answer.mentions("nightly.sh")
    assert "Archiving (gzip)" not in answer.label


def test_a_python_script_below_a_shell_script_is_not_called_by_the_shells_file(
    stage: Stage,
) -> None:
    inner = stage.script("convert-all.py", BURNS)
    outer = stage.script("run.sh", f"#!/bin/bash\n{sys.executable} {inner}\n:\n")
    answer = stage.ask(stage.descendant(stage.start(outer), "convert-all.py"))
    assert answer.mentions("convert-all.py", "run.sh")
    assert "Python script run.sh" not in answer.label


def test_a_program_of_node_below_a_python_script_is_not_called_by_its_file(stage: Stage) -> None:
    inner = stage.script("worker.js", "for (let x = 1; ; ) x = (x * 3 + 1) % 1000003;\n")
    outer = stage.script("loads.py", f"import subprocess\nsubprocess.run(['node', '{inner}'])\n")
    answer = stage.ask(stage.descendant(stage.start(sys.executable, outer), "worker.js"))
    assert answer.mentions("worker.js", "loads.py")
    assert "Node.js program loads.py" not in answer.label


@pytest.mark.parametrize("options", [[], ["-Xmx64m"], ["-Dspring.profiles.active=nas", "-Xss512k"]])
def test_a_java_program_is_told_by_its_jar(stage: Stage, options: list[str]) -> None:
    jar = stage.folder / "photo-indexer.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nMain-Class: Main\n")
        archive.writestr("Main.class", base64.b64decode(MAIN_CLASS))
    answer = stage.ask(stage.start(program("java"), "-jar", *options, jar))
    assert answer.mentions("photo-indexer")
    assert not any(answer.mentions(option.lower()) for option in options)


@pytest.mark.parametrize(
    "launcher", ["uv run", "poetry run", "timeout 600", "flock lock", "sudo -u alice"]
)
def test_a_launcher_is_looked_through(stage: Stage, launcher: str) -> None:
    script = stage.script("train_birds.py", BURNS)
    name, *rest = launcher.split()
    pid = stage.start(
        stage.burner(name), *rest, script, called=name, runs=f"{sys.executable} {script}"
    )
    answer = stage.ask(stage.descendant(pid, "train_birds.py"))
    assert answer.mentions("train_birds.py")


def test_what_a_days_job_does_is_told_by_its_part(stage: Stage) -> None:
    stage.script("cron.daily/backup-homes", "#!/bin/sh\ngzip -9 < /dev/urandom > /dev/null\n:\n")
    job = stage.start(program("run-parts"), stage.folder / "cron.daily")
    answer = stage.ask(stage.descendant(job, "gzip"))
    assert answer.mentions("backup-homes")


UNITS = [
    ("photo-index.service", "worker", "", "photo-index"),
    ("php8.2-fpm.service", "php-fpm8.2", "web", "php"),
    ("minecraft@survival.service", "java", "gaming", "minecraft"),
    ("postgresql@15-main.service", "postgres", "database", "postgres"),
    ("tomcat9.service", "java", "web", "tomcat"),
]


@pytest.mark.parametrize(("unit", "name", "category", "word"), UNITS)
def test_a_unit_is_told_by_its_name(
    stage: Stage, unit: str, name: str, category: str, word: str
) -> None:
    answer = stage.ask(stage.start(stage.installed(name), within=f"system.slice/{unit}"))
    assert answer.kind == "unit"
    assert answer.mentions(word)
    assert category in ("", answer.category), answer


def test_nothing_known_is_called_by_its_plain_name(stage: Stage) -> None:
    answer = stage.ask(stage.start(stage.burner("qzcrunch")))
    assert (answer.category, answer.label) == ("unknown", "qzcrunch")

"""The real program, from outside: exit codes, one line for what is wrong, no traceback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from unit.cli.program import Program

import publisher.cli
from publisher import __version__
from publisher.cli import COMMANDS, main
from publisher.cli.loading import load_settings
from publisher.cli.options import BROKER_FLAG
from publisher.cli.run import environment, prepare
from publisher.contract.model import json_schema
from publisher.contract.topics import readings_of
from publisher.daemon.launch import Launch
from publisher.subsystems.registry import all_topics, documented_topics

_ROOT = Path(__file__).resolve().parents[3]
_SHOWN = [name for name in COMMANDS if name != "config"]


def test_a_version_needs_no_library() -> None:
    """Nothing is loaded that takes its time."""
    program = (
        "import sys; sys.argv = ['fanwhy-pub', '--version']; "
        "from publisher.__main__ import main; main(); "
        "print([name for name in ('typer', 'rich', 'pydantic', 'psutil') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert found.stdout.endswith("[]\n")


def test_the_file_of_a_command_says_so_and_no_other_does() -> None:
    folder = Path(publisher.cli.__file__).parent
    commands = {
        path.stem
        for path in folder.glob("*.py")
        if path.read_text(encoding="utf-8").startswith(f'"""``fanwhy-pub {path.stem}')
    }
    assert commands == set(COMMANDS)


def test_without_a_command_it_says_what_there_is(fanwhy: Program) -> None:
    found = fanwhy()
    assert found.code == 2
    assert all(name in found.out for name in _SHOWN)
    assert found.err == ""


@pytest.mark.parametrize("arguments", [[], ["schema"], ["once", "cpi"]])
def test_what_most_tests_fork_does_as_what_a_user_starts(
    fanwhy: Program, started_fanwhy: Program, arguments: list[str]
) -> None:
    assert fanwhy(*arguments) == started_fanwhy(*arguments)


@pytest.mark.parametrize("name", _SHOWN)
def test_help(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"$ fanwhy-pub {name}" in out or "COMMAND" in out
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rum"], "no such command 'rum'. Did you mean 'run'? See fanwhy-pub --help"),
        (["once", "--jsn"], "no such option: --jsn"),
        (["run", "--broker"], "option '--broker' requires an argument; see fanwhy-pub"),
        (["run", "more"], "got unexpected extra argument"),
        (["once", "cpi"], "no subsystem cpi; did you mean cpu?"),
        (["once", "\x1b[2J"], "no subsystem \\x1b[2J; there are cpu"),
        (["run", "--prefix", "a//b"], "--prefix: 'a//b': every level between slashes"),
        (["run", "--broker", "http://u:271828@h"], "--broker: unknown scheme 'http'"),
        (["run", "--config", "/no/file"], "/no/file: cannot be read: No such file"),
        (["config"], "for the daemon's own use"),
    ],
)
def test_wrong_use(fanwhy: Program, arguments: list[str], line: str) -> None:
    found = fanwhy(*arguments)
    assert found.code == 2
    assert found.out == ""
    assert found.err.startswith(f"fanwhy-pub: {line}")
    assert found.err.count("\n") == 1
    assert "271828" not in found.err


def test_a_wrong_configuration_stops_every_command(fanwhy: Program, empty: Path) -> None:
    empty.write_text("[sampling]\nperod_seconds = 3\nx = 1\n")
    for name in ("run", "once", "check", "doctor", "schema"):
        found = fanwhy(name)
        assert found.code == 2
        first, second = found.err.splitlines()
        assert first == (
            f"fanwhy-pub: {empty}: sampling.perod_seconds: no such setting; "
            "did you mean sampling.period_seconds?"
        )
        assert second.endswith("sampling.x: no such setting")


def test_a_readable_password_is_said_once_and_never_shown(fanwhy: Program, empty: Path) -> None:
    empty.write_text('[broker]\npassword = "271828"\n')
    empty.chmod(0o644)
    found = fanwhy("schema")
    assert found.code == 0
    assert found.err.startswith("fanwhy-pub: warning: ")
    assert found.err.count("\n") == 1
    assert "271828" not in found.err + found.out


# --- how the daemon gets its settings -------------------------------------------------------------


def test_the_daemon_is_told_how_to_read_again(empty: Path, tmp_path: Path) -> None:
    broker = "mqtt://me:271828@nas"
    loaded = load_settings(broker=broker, prefix="lab", config=str(empty), environment={})
    launch = prepare(loaded, "lab", str(empty))
    assert launch.config_path == str(empty)
    assert not [word for word in launch.reload if "271828" in word], "everybody may read it"
    flag = {BROKER_FLAG: broker}
    assert _reloaded(launch, tmp_path, **flag).settings == launch.settings
    empty.write_text("[sampling]\nperiod_seconds = 5\n")
    assert _reloaded(launch, tmp_path, **flag).settings.sampling.period_seconds == 5


def test_the_catalogue_is_a_payload(empty: Path) -> None:
    loaded = load_settings(config=str(empty), environment={"FANWHY_HOSTNAME": "nas"})
    catalogue = json.loads(prepare(loaded, None, None).catalogue)
    assert catalogue["host"] == "nas"
    assert catalogue["properties"] == json_schema(readings_of(all_topics()))["properties"]


def test_a_folder_of_the_same_name_is_not_mistaken_for_us(tmp_path: Path, empty: Path) -> None:
    package = tmp_path / "publisher"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('the wrong one')")
    loaded = load_settings(config=str(empty), environment={})
    launch = prepare(loaded, None, str(empty))
    assert _reloaded(launch, tmp_path).settings == launch.settings


def _reloaded(launch: Launch, folder: Path, **variables: str) -> Launch:
    done = subprocess.run(
        launch.reload, capture_output=True, check=True, cwd=folder, env=environment() | variables
    )
    return Launch.parse(done.stdout)


# --- what it prints -------------------------------------------------------------------------------


def test_once_is_as_published(fanwhy: Program) -> None:
    found = fanwhy("once", "--json", "cpu", "memory")
    assert found.code == 0
    document = json.loads(found.out)
    assert list(document) == ["cpu", "memory"]
    assert document["cpu"]["usage_percent"] >= 0
    jsonschema.Draft202012Validator(json_schema(readings_of(all_topics()))).validate(document)


def test_once_for_people(fanwhy: Program) -> None:
    found = fanwhy("once", "memory")
    assert found.code == 0
    (total,) = (line for line in found.out.splitlines() if line.split()[:1] == ["Total"])
    assert total.rstrip().endswith(("GiB", "TiB", "MiB"))
    assert "\x1b" not in found.out


def test_once_looks_where_it_is_told(fanwhy: Program, tmp_path: Path) -> None:
    found = fanwhy("once", "cpu", FANWHY_ROOT=str(tmp_path))
    assert found.code == 1
    assert found.err == "cpu: absent: /proc/stat: not on this machine\n"


def test_what_is_switched_off_stays_off(fanwhy: Program) -> None:
    found = fanwhy("once", "cpu", FANWHY_SENSES__DISABLED="cpu")
    assert (found.code, found.err) == (1, "cpu: disabled in the configuration\n")


def test_the_schema_is_the_one(fanwhy: Program) -> None:
    assert json.loads(fanwhy("schema").out) == json_schema(readings_of(documented_topics()))


def test_asyncapi(fanwhy: Program) -> None:
    found = fanwhy(
        "schema", "--asyncapi", "--prefix", "lab/{hostname}", "--broker", "wss://u:271828@h/ws",
        FANWHY_HOSTNAME="nas",
    )  # fmt: skip
    assert "271828" not in found.out
    document = json.loads(found.out)
    assert document["asyncapi"] == "3.0.0"
    assert document["servers"]["broker"] == {
        "host": "h:443", "protocol": "wss", "protocolVersion": "5", "pathname": "/ws",
        "description": "MQTT 5, or 3.1.1 where the broker does not speak it.",
    }  # fmt: skip
    assert document["channels"]["cpu"]["address"] == "lab/nas/cpu"
    assert set(readings_of(all_topics())) < set(document["channels"])
    for reference in _references(document):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_doctor(fanwhy: Program, tmp_path: Path) -> None:
    document = json.loads(fanwhy("doctor", "--json", FANWHY_ROOT=str(tmp_path)).out)
    assert document["fanwhy_version"] == __version__
    assert document["senses"]["cpu"]["state"] == "absent"
    assert document["senses"]["memory"]["reason"] == "/proc/meminfo: not on this machine"
    assert document["broker"][0]["name"] == "configuration"


def test_doctor_lists_the_names_that_can_be_used(fanwhy: Program) -> None:
    machine = Path(__file__).parents[2] / "fixtures/machines/intel_desktop"
    settings = {
        "FANWHY_ROOT": str(machine),
        "FANWHY_IGNORE__FANS": "nct6798 fan2,nct6798 fam3",
        "FANWHY_EXPLAIN__NEVER_BLAME": "boinc",
    }
    document = json.loads(fanwhy("doctor", "--json", **settings).out)
    assert ["nct6798-isa-0290/fan2", "nct6798 fan2", "fan2", "nct6798"] in document["names"]["fans"]
    missed = document["senses"]["ignore.fans"]
    assert missed["reason"].startswith('"nct6798 fam3" fits no fan here; did you mean nct6798 fan')
    words = " ".join(fanwhy("doctor", **settings).out.split())
    assert "nct6798 fan1, nct6798 fan2, nct6798 fan3" in words
    assert 'explain.never_blame: "boinc" fits nothing that is at work now' in words


def test_doctor_times_what_there_is(fanwhy: Program) -> None:
    found = fanwhy("doctor", "--timings")
    assert found.code == 0
    assert "µs a read" in found.out
    assert "cpu.load" in found.out


# --- the broker -----------------------------------------------------------------------------------


def test_check_without_anybody_there(fanwhy: Program) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        found = fanwhy("check", "--broker", f"mqtt://127.0.0.1:{port}")
    assert found.code == 1
    assert found.err == ""
    assert f"✗ broker         mqtt://127.0.0.1:{port}: nothing listens there" in found.out


def test_check_as_json(fanwhy: Program) -> None:
    found = fanwhy("check", "--json", "--broker", "mqtt://name.invalid")
    assert found.code == 1
    assert [(item["name"], item["ok"]) for item in json.loads(found.out)] == [
        ("configuration", True),
        ("broker", False),
    ]


def test_check_reads_the_password_file(fanwhy: Program) -> None:
    found = fanwhy(
        "check", "--broker", "mqtt://u@127.0.0.1:1", FANWHY_BROKER__PASSWORD_FILE="/no/file"
    )
    assert found.code == 1
    assert "✗ broker         broker.password_file: /no/file: cannot be read" in found.out


def test_a_terminal_that_knows_no_marks(started_fanwhy: Program) -> None:
    found = started_fanwhy("check", "--broker", "mqtt://127.0.0.1:1", PYTHONIOENCODING="ascii")
    assert found.code == 1
    assert "? configuration" in found.out


# --- how it ends ----------------------------------------------------------------------------------


def test_a_reader_that_leaves_early() -> None:
    command = [sys.executable, "-m", "publisher", "schema", "--config", os.devnull]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
    ) as child:
        assert child.stdout
        assert child.stderr
        child.stdout.read(1)
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(30) == 1


@pytest.mark.parametrize("arguments", [["once", "cpu"], ["why", "--seconds", "30"]])
def test_an_interrupt_is_quiet(arguments: list[str]) -> None:
    command = [sys.executable, "-c", _INTERRUPTED, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
    ) as child:
        assert child.stdout
        assert child.stderr
        assert child.stdout.read(1) == b"."
        child.send_signal(signal.SIGINT)
        assert child.stderr.read().strip() == b""
        assert child.wait(30) == 130


# Tells when it has begun to look, which takes a second.
_INTERRUPTED = f"""
import sys, time
from publisher.cli import main
def tell(seconds, sleep=time.sleep):
    sys.stdout.write("."); sys.stdout.flush(); sleep(30)
time.sleep = tell
sys.exit(main([*sys.argv[1:], "--config", {os.devnull!r}]))
"""


def _references(node: object) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in _references(item)]
    if not isinstance(node, dict):
        return []
    return [
        found
        for key, value in node.items()
        for found in ([value] if key == "$ref" else _references(value))
    ]

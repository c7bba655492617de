"""What ``fanwhy-sub`` tells once: hosts, topics, what is wrong; and what ``why`` waits for."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broker.parties import Shipped, Watch
from broker.reading import COMMAND, VERDICT, Daemon, RunCommand, environment

from publisher.contract.payload import rfc3339

pytestmark = pytest.mark.broker

QUIET = {"state": "quiet", "headline": "System load normal", "causes": []}


@pytest.fixture
def started(broker: Shipped, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a command that goes on."""
    made: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        made.append(
            subprocess.Popen(
                [*COMMAND, *arguments], env=environment(tmp_path, broker.url), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.communicate()


# --- why -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "code"), [("quiet", 0), ("cooling", 10), ("busy", 11), ("hot", 12), ("pressure", 13)]
)
def test_why_ends_with_the_state_where_it_is_asked_to(
    daemon: Daemon, run: RunCommand, state: str, code: int
) -> None:
    daemon.say_all(state=state)
    assert run("why").returncode == 0
    assert run("why", "--exit-code").returncode == code


def test_the_highest_state_of_several_hosts_counts(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all("host/nas", **QUIET)
    daemon.say_all("host/pi", host="pi", state="hot")
    daemon.say_all("host/old", host="old", state="pressure")
    daemon.say("host/old/status", b"offline")
    assert run("why", "--exit-code").returncode == 12
    assert run("why", "nas", "--exit-code").returncode == 0


def test_why_of_one_host(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all("host/nas")
    daemon.say_all("host/pi", host="pi", **QUIET)
    assert run("why", "pi").stdout.splitlines()[0] == "System load normal"
    unknown = run("why", "pj")
    assert unknown.returncode == 1
    assert unknown.stderr == "fanwhy-sub: no host pj has said why; there are nas, pi\n"


def test_why_without_a_broker_fails_at_once(run: RunCommand) -> None:
    began = time.monotonic()
    done = run("why", "--timeout", "25", url="mqtt://127.0.0.1:1")
    assert done.returncode == 1
    assert "nothing listens there" in done.stderr
    assert time.monotonic() - began < 20  # and not for as long as it may wait


def test_why_waits_until_it_is_so(
    daemon: Daemon, started: Callable[..., subprocess.Popen[str]]
) -> None:
    daemon.say_all("host/nas", **QUIET)
    daemon.say_all("host/gone", host="gone", state="hot")
    daemon.say("host/gone/status", b"offline")
    waiting = started("why", "--wait", "hot", "--wait", "pressure", "--exit-code")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(1.5)
    daemon.say("host/nas/explanation", VERDICT | {"state": "hot"})
    out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, err) == (12, "")
    assert out.splitlines()[0] == VERDICT["headline"]
    assert "gone" not in out


def test_what_is_waited_for_may_be_that_a_host_goes(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all("host/nas", **QUIET)
    late = run("why", "--wait", "offline", "--timeout", "1")
    assert late.returncode == 1
    assert late.stderr == "fanwhy-sub: none was offline in time; nas is quiet\n"
    daemon.say("host/nas/status", b"offline")
    gone = run("why", "nas", "--wait", "offline")
    assert gone.returncode == 0, gone.stderr
    assert gone.stdout.splitlines()[0] == "nas is offline"


def test_why_follows_a_line_a_sentence(
    daemon: Daemon, started: Callable[..., subprocess.Popen[str]]
) -> None:
    daemon.say_all("host/nas", time=rfc3339(1_800_000_000.0))
    following = started("why", "--follow")
    assert following.stdout
    assert following.stdout.readline().endswith(f" nas BUSY {VERDICT['headline']}\n")
    daemon.say("host/nas/explanation", VERDICT | {"since": rfc3339(1_800_000_000.0)})
    daemon.say("host/nas/explanation", VERDICT | QUIET)
    assert following.stdout.readline().endswith(" nas QUIET System load normal\n")
    daemon.say("host/nas/status", b"offline")
    assert following.stdout.readline().endswith(" nas OFFLINE\n")


def test_one_moment_at_a_time(run: RunCommand) -> None:
    done = run("why", "--follow", "--wait", "hot")
    assert done.returncode == 2
    assert done.stderr == "fanwhy-sub: --at, --follow and --wait: one of them at a time\n"


# --- hosts ---------------------------------------------------------------------------------------


def test_hosts_are_listed_the_worst_first(daemon: Daemon, run: RunCommand) -> None:
    celsius = {"x-kind": "gauge", "x-unit": "\u00b0C", "title": "CPU"}
    daemon.say_all("host/nas", **QUIET)
    daemon.say_all(
        "host/pi", host="pi", state="hot", headline="CPU hot: \x1b[2J",
        evidence={"cpu_temperature_celsius": 84.0},
    )  # fmt: skip
    evidence = {"properties": {"cpu_temperature_celsius": celsius}}
    explanation = {"properties": {"evidence": evidence | {"x-kind": "group"}}}
    daemon.say("host/pi/catalogue", {"properties": {"explanation": explanation}})
    daemon.say_all("host/old", host="old")
    daemon.say("host/old/status", b"offline")

    done = run("hosts")

    first, _heads, *lines = done.stdout.splitlines()
    assert first == "1 hot, 1 offline of 3"
    assert [(line.split()[0], line.split()[2]) for line in lines] == [
        ("pi", "hot"), ("old", "offline"), ("nas", "quiet"),
    ]  # fmt: skip
    assert "84 \u00b0C" in lines[0]
    assert "\x1b" not in done.stdout
    documents = [json.loads(line) for line in run("hosts", "--json").stdout.splitlines()]
    assert [each["host"] for each in documents] == ["pi", "old", "nas"]
    assert documents[0]["cpu_temperature_celsius"] == 84


def test_no_host_at_all(run: RunCommand) -> None:
    done = run("hosts", "--timeout", "1")
    assert done.returncode == 1
    assert "no host is known there; is fanwhy-pub running?" in done.stderr


@pytest.mark.parametrize("typed", ["why n", "refresh n"])
def test_the_shell_completes_hosts(daemon: Daemon, run: RunCommand, typed: str) -> None:
    daemon.say_all("host/nas")
    daemon.say_all("host/pi", host="pi")
    asking = {"_FANWHY_SUB_COMPLETE": "complete_bash", "COMP_WORDS": f"fanwhy-sub {typed}"}
    assert run(COMP_CWORD="2", **asking).stdout.split() == ["nas"]
    away = run(COMP_CWORD="2", url="mqtt://127.0.0.1:1", **asking)
    assert (away.stdout.strip(), away.stderr) == ("", "")


# --- topics --------------------------------------------------------------------------------------


def test_topics_tell_size_and_rate(
    daemon: Daemon, started: Callable[..., subprocess.Popen[str]], run: RunCommand
) -> None:
    daemon.say("host/status", b"online")
    listening = started("topics", "--seconds", "4", "--json")
    ends = time.monotonic() + 2
    while time.monotonic() < ends:
        daemon.say("host/event", b"{}", retain=False)
        time.sleep(0.1)
    out, err = listening.communicate(timeout=20)
    assert err == ""
    found = {each["topic"]: each for each in map(json.loads, out.splitlines())}
    assert found["host/status"] == {
        "topic": "host/status", "retained": True, "bytes": 6, "messages": 0,
        "messages_per_minute": 0.0, "bytes_per_second": 0.0,
    }  # fmt: skip
    assert found["host/event"]["messages"] > 3
    assert not found["host/event"]["retained"]
    lines = run("topics", "-s", "0.5").stdout.splitlines()
    assert lines[0].split() == ["TOPIC", "KEPT", "SIZE", "A", "MINUTE", "TRAFFIC"]
    assert lines[1].split() == ["host/status", "yes", "6", "B"]


# --- refresh -------------------------------------------------------------------------------------


def test_refresh_waits_until_all_was_said_again(
    broker: Shipped, daemon: Daemon, run: RunCommand, watch: Watch
) -> None:
    daemon.say_all("host/nas")
    asked = watch(broker, "host/nas/command", username="fanwhy")

    def answer() -> None:
        asked.wait_for("host/nas/command", b"refresh")
        daemon.say_all("host/nas")

    thread = threading.Thread(target=answer)
    thread.start()
    done = run("refresh")
    thread.join()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "nas: 4 messages\n"


def test_a_host_that_says_nothing_is_named(daemon: Daemon, run: RunCommand) -> None:
    daemon.say_all("host/nas")
    done = run("refresh", "--timeout", "1")
    assert done.returncode == 1
    assert "nas: no answer in 1 s; may this user write to host/nas/command?" in done.stderr
    daemon.say("host/nas/status", b"offline")
    assert "nas: offline" in run("refresh", "nas", "--timeout", "1").stderr


# --- doctor --------------------------------------------------------------------------------------


def test_doctor_says_who_is_there_and_what_is_wrong(
    broker: Shipped, daemon: Daemon, run: RunCommand, watch: Watch
) -> None:
    daemon.say_all("host/nas")
    daemon.say(
        "host/nas/info",
        {"host": "nas", "senses": {"disk.smart": {"state": "failing", "reason": "no smartctl"}}},
    )
    daemon.say_all("host/mute", host="mute")
    daemon.say_all("host/old", host="old")
    daemon.say("host/old/status", b"offline")
    asked = watch(broker, "host/nas/command", username="fanwhy")

    def answer() -> None:
        request = asked.wait_for("host/nas/command", b"why")
        content = VERDICT | {"time": rfc3339(time.time() + 3600)}
        asked.publish(
            request.properties.ResponseTopic,
            json.dumps(content).encode(),
            correlation_data=request.properties.CorrelationData,
        )

    thread = threading.Thread(target=answer)
    thread.start()
    done = run("doctor")
    thread.join()
    assert done.returncode == 1, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]

    def line(*words: str) -> bool:
        return any(all(word in each for word in words) for each in lines)

    assert line("\u2713 broker", "speaks MQTT 5")
    assert line("\u2713 credentials reader is let in")
    assert line("\u2713 nas busy")
    assert line("\u2717 nas its clock is 1 h", "ahead of this one's", "timedatectl")
    assert line("\u2717 nas disk.smart is failing: no smartctl")
    assert line("\u2717 mute is said to be online, and does not answer")
    assert line("\u2717 old offline")
    findings = json.loads(run("doctor", "--json").stdout)
    assert {"name", "ok", "detail", "fix"} == findings[0].keys()


def test_doctor_without_access(run: RunCommand) -> None:
    denied = run("doctor", password="wrong")  # that is the point
    assert denied.returncode == 1
    assert "credentials" in denied.stdout
    away = run("doctor", url="mqtt://127.0.0.1:1")
    assert away.returncode == 1
    assert "nothing listens there" in away.stdout


def test_doctor_of_an_empty_broker(run: RunCommand) -> None:
    done = run("doctor")
    assert done.returncode == 1
    assert "no host has published below host/#; is fanwhy-pub running" in done.stdout

"""Programs that call themselves what they are not, and miners in other people's houses."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest
from processes.harness import CONTAINER, Answer, Stage
from servers import program

pytestmark = pytest.mark.processes


def is_no_more_than_suspected(answer: Answer) -> bool:
    """Unknown, or perhaps a miner; nothing in between, and never for certain."""
    if answer.category == "unknown":
        return True
    return answer.category == "cryptomining" and answer.confidence < 0.9


def test_a_copy_of_xz_is_no_system_log(stage: Stage) -> None:
    copy = stage.folder / "kauditd0"
    shutil.copy(program("xz"), copy)
    answer = stage.ask(stage.start(copy, "-9", "-c", "/dev/urandom"))
    assert answer.category != "system"
    assert is_no_more_than_suspected(answer) or answer.category == "shell"
    assert answer.confidence < 0.9


@pytest.mark.parametrize("name", ["-bash", ".x/-bash"])
def test_a_program_that_is_called_like_a_login_shell_is_none(stage: Stage, name: str) -> None:
    answer = stage.ask(stage.start(stage.burner(name), called="-bash"))
    assert is_no_more_than_suspected(answer)


@pytest.mark.parametrize(
    "name", ["[kworker/0:2]", "kswapd0", "[kthreadd]", "ksoftirqd/0", "[migration/1]"]
)
def test_what_is_no_kernel_thread_does_not_become_one_by_name(stage: Stage, name: str) -> None:
    bare = name.strip("[]")
    answer = stage.ask(stage.start(stage.burner("helper"), called=name, comm=bare))
    assert answer.kind != "kernel"
    assert is_no_more_than_suspected(answer)
    assert "0:2]" not in (answer.label, answer.group)
    assert "kernel thread" in answer.reason


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to be somebody else")
def test_a_kswapd0_of_an_unprivileged_user_is_said_to_pose(stage: Stage) -> None:
    with tempfile.TemporaryDirectory(prefix="fanwhy-test-", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101  # for whoever it is
        poses = shutil.copy(stage.burner("burner"), f"{folder}/kswapd0")
        somebody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        answer = stage.ask(stage.start(*somebody, poses))
    assert answer.kind != "kernel"
    assert is_no_more_than_suspected(answer)
    assert "calls itself a kernel thread, and is none" in answer.reason


@pytest.mark.parametrize("name", ["rsync", "nginx: worker process", "postgres: writer process"])
def test_a_perl_script_that_takes_a_title_is_told_as_perl(stage: Stage, name: str) -> None:
    answer = stage.ask(stage.start("perl", "-e", f"$0 = '{name}'; 1 while 1"))
    assert answer.category not in ("backup", "web", "database") or not answer.sure
    assert "perl" in f"{answer.label} {answer.reason}".lower()


@pytest.mark.parametrize(
    ("name", "within"),
    [
        ("xmrig", ""),
        ("xmrig", f"system.slice/{CONTAINER}"),
        ("kinsing", f"system.slice/{CONTAINER}"),
        ("kdevtmpfsi", "system.slice/redis-server.service"),
        ("xmrig", "system.slice/wazuh-agent.service"),
        (".cache/xmrig", ""),
    ],
)
def test_a_miner_is_found_wherever_it_is(stage: Stage, name: str, within: str) -> None:
    answer = stage.ask(stage.start(stage.burner(name), within=within))
    assert answer.category == "cryptomining"


def test_a_miner_is_found_below_a_shell_of_its_host(stage: Stage) -> None:
    miner = stage.burner("xmrig")
    shell = stage.start("bash", "-c", f"{miner}; true", within=f"system.slice/{CONTAINER}")
    answer = stage.ask(stage.descendant(shell, "xmrig"))
    assert answer.category == "cryptomining"


def test_a_node_of_monero_is_no_miner_until_it_mines(stage: Stage) -> None:
    validates = stage.start(stage.burner("monerod"), "--non-interactive")
    assert stage.ask(validates).category != "cryptomining"


def test_a_node_of_monero_that_mines_is_a_miner(stage: Stage) -> None:
    mines = stage.start(stage.burner("monerod"), "--start-mining", "4" + "A" * 94)
    assert stage.ask(mines).category == "cryptomining"


def test_an_unknown_program_that_is_deleted_is_never_certainly_anything(stage: Stage) -> None:
    hidden = stage.burner(".config/.sys/upd")
    pid = stage.start(hidden)
    hidden.unlink()
    assert is_no_more_than_suspected(stage.ask(pid))

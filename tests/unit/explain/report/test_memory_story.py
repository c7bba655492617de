"""What is told of memory: who fills which limit, who took the rest, whom the kernel killed."""

from __future__ import annotations

from typing import Any

import pytest
from unit.explain.stage import MakeAccount, Stage, account

from publisher.explain.inputs import Signs
from publisher.explain.report.headline import NORMAL
from publisher.ledger.accounts import Account, MemoryKill, MemoryLimit

GIB = 1 << 30
OWN = MemoryLimit(limit_bytes=3 * GIB // 2, used_bytes=3 * GIB // 2)
PLENTY: dict[str, Any] = {"memory_available_percent": 70.0, "pressure_memory_percent": 60.0}


def leak(**more: Any) -> Account:
    job = {"kind": "job", "label": "python leak.py", "script": "leak.py", "interpreter": "python"}
    return account("python", **{**job, **more})


def immich(**more: Any) -> Account:
    return account("photod", **{"kind": "container", "label": "photo_box", "key": "c:1", **more})


def at(limit: int, **more: Any) -> MemoryLimit:
    return MemoryLimit(limit_bytes=limit, used_bytes=limit, **more)


@pytest.mark.parametrize(
    ("kill", "text"),
    [
        (
            MemoryKill(account=leak(), program="python", held_bytes=GIB, limited=True, limit=OWN),
            "leak.py fills its limit of 1.5 GiB; the kernel killed it",
        ),
        (
            MemoryKill(account=leak(), program="python", limited=True),
            "leak.py fills its memory limit; the kernel killed it",
        ),
        (
            MemoryKill(
                account=immich(process_count=9), program="python", limited=True, limit=at(2 * GIB)
            ),
            "photo_box (container) fills its limit of 2 GiB; the kernel killed python in it",
        ),
        (
            MemoryKill(account=immich(process_count=9), limited=True, limit=at(2 * GIB)),
            "photo_box (container) fills its limit of 2 GiB; the kernel killed a process in it",
        ),
        (
            MemoryKill(
                account=leak(),
                program="python",
                held_bytes=GIB,
                limited=True,
                limit=at(4 * GIB, shared="user 1000"),
            ),
            "User 1000's memory limit of 4 GiB is full; the kernel killed leak.py (1 GiB)",
        ),
        (
            MemoryKill(account=leak(), program="python", held_bytes=9 * GIB),
            "leak.py used up the memory; the kernel killed it (9 GiB)",
        ),
        (
            MemoryKill(account=leak(), program="python", held_bytes=GIB, sure=False),
            "The kernel killed a process for want of memory, most likely leak.py (1 GiB)",
        ),
        (
            MemoryKill(
                account=leak(),
                program="python",
                held_bytes=GIB,
                sure=False,
                limited=True,
                limit=at(2 * GIB),
            ),
            "The kernel killed a process at a memory limit of 2 GiB, most likely leak.py (1 GiB)",
        ),
        (MemoryKill(), "The kernel killed a process for want of memory"),
    ],
)
def test_a_kill_names_eater_victim_and_limit(stage: Stage, kill: MemoryKill, text: str) -> None:
    stage.step()
    verdict = stage.step(kills=(kill,), signs=Signs(oom_kills=1))
    assert verdict.headline == text
    (raised,) = [event for event in stage.events if event.alert]
    assert (raised.alert, raised.severity, raised.message) == ("oom_kill", "critical", text)


def test_a_kill_is_told_for_a_minute_and_its_alert_for_ten(stage: Stage) -> None:
    """Also of one who took all in a second, so that nothing was ever under pressure."""
    stage.play(lasting=10, signs=Signs(oom_kills=0))
    kill = MemoryKill(account=leak(), program="python", limited=True, limit=OWN)
    verdict = stage.step(kills=(kill,), signs=Signs(oom_kills=1))
    assert (verdict.state, verdict.causes) == ("quiet", ())
    stage.play(lasting=56, signs=Signs(oom_kills=1))
    assert stage.headlines[-1].startswith("leak.py fills its limit")
    stage.play(lasting=700, signs=Signs(oom_kills=1))
    assert stage.headlines[1:] == [
        "leak.py fills its limit of 1.5 GiB; the kernel killed it",
        NORMAL,
    ]
    raised, cleared = [event for event in stage.events if event.alert]
    assert (raised.event, raised.label, raised.category) == ("alert_raised", "leak.py", "unknown")
    (cause,) = raised.causes
    assert (cause.label, cause.resource, cause.active) == ("leak.py", "memory", False)
    assert cleared.causes == ()
    assert (raised.resource, cleared.event, cleared.label) == ("memory", "alert_cleared", "leak.py")
    assert 590 <= cleared.duration_seconds <= 610


def test_the_eater_may_be_another_than_the_victim(stage: Stage, make_account: MakeAccount) -> None:
    eater = make_account("postgres", 0.1, memory_bytes=9 * GIB)
    victim = make_account("firefox", 0.0, memory_bytes=2 * GIB)
    short: dict[str, Any] = {"memory_available_percent": 2.0, "pressure_memory_percent": 50.0}
    stage.play(eater, victim, lasting=10, **short)
    kill = MemoryKill(account=victim, program="firefox", held_bytes=2 * GIB)
    verdict = stage.step(eater, kills=(kill,), **short)
    told = "Memory pressure from PostgreSQL database; the kernel killed Firefox browser (2 GiB)"
    assert verdict.headline == told
    assert verdict.state == "pressure"


def test_one_that_is_killed_again_and_again(stage: Stage) -> None:
    kill = MemoryKill(account=immich(), limited=True, limit=at(2 * GIB))
    for _ in range(5):
        stage.step(kills=(kill,))
        stage.play(lasting=40)
    assert stage.headlines == [
        "photo_box (container) fills its limit of 2 GiB; the kernel killed it",
        "photo_box (container) fills its limit of 2 GiB; the kernel keeps killing it",
    ]
    assert [event.event for event in stage.events if event.alert] == ["alert_raised"]


def test_a_group_that_is_killed_as_a_whole_is_killed_once(stage: Stage) -> None:
    kill = MemoryKill(account=immich(), limited=True, limit=at(2 * GIB))
    verdict = stage.step(kills=(kill,) * 5)
    assert (verdict.headline or "").endswith("the kernel killed it")


def test_each_victim_is_an_alert_of_its_own(stage: Stage, make_account: MakeAccount) -> None:
    for program in ("firefox", "mysqld"):
        stage.step(kills=(MemoryKill(account=make_account(program), held_bytes=GIB),))
    told = [event.label for event in stage.events if event.alert]
    assert told == ["Firefox browser", "MySQL database"]


def test_nobody_is_told_while_somebody_may_be_known_soon(stage: Stage) -> None:
    stage.step(signs=Signs(oom_kills=0))
    stage.step(signs=Signs(oom_kills=1), kill_awaited=True)
    assert stage.soon() < 1
    stage.step(signs=Signs(oom_kills=1), kills=(MemoryKill(account=leak(), held_bytes=GIB),))
    assert [event.label for event in stage.events if event.alert] == ["leak.py"]


def test_a_container_at_its_own_limit(stage: Stage, make_account: MakeAccount) -> None:
    large = make_account("mysqld", 0.3, memory_bytes=8 * GIB)
    limited = immich(cores=0.1, memory_bytes=GIB, memory_limit=at(2 * GIB, strained=True))
    verdict = stage.play(large, limited, lasting=20, **PLENTY)
    assert (verdict.state, len(verdict.causes)) == ("pressure", 1)
    reason = verdict.causes[0].reason or ""
    assert reason.startswith("waits at a memory limit of 2 GiB; ")
    assert stage.headlines[-1] == (
        "photo_box (container) is at its own memory limit of 2 GiB; the machine has plenty"
    )
    # It draws breath between two stalls.
    calm = immich(cores=0.1, memory_bytes=GIB, memory_limit=at(2 * GIB))
    stage.step(large, calm, **PLENTY)
    stage.step(large, limited, **PLENTY)
    stage.play(large, lasting=30, memory_available_percent=70.0)
    assert [line for line in stage.headlines if "limit" in line] == stage.headlines[1:2]
    assert "limit" not in stage.headlines[-1]


def test_a_limit_that_is_shared_is_told_whose_it_is(stage: Stage) -> None:
    shared = at(4 * GIB, shared="the pod", strained=True)
    stage.play(immich(cores=0.1, memory_limit=shared, memory_bytes=GIB), lasting=10, **PLENTY)
    told = "photo_box (container) fills the pod's memory limit of 4 GiB; the machine has plenty"
    assert stage.headlines[-1] == told


def test_two_at_their_limits(stage: Stage) -> None:
    both = [
        immich(cores=0.1, label=name, key=name, memory_bytes=GIB,
               memory_limit=at(GIB, strained=True))
        for name in ("photo_box", "paper_box")
    ]  # fmt: skip
    stage.play(*both, lasting=10, **PLENTY)
    assert stage.headlines[-1] == (
        "paper_box (container) and photo_box (container) are at their own memory limits; "
        "the machine has plenty"
    )


def test_a_kill_goes_before_what_else_is_told(stage: Stage, make_account: MakeAccount) -> None:
    make = make_account("cc1", 3.5, kind="job", label="make -j8", command="make -j8")
    stage.play(make, lasting=10)
    kill = MemoryKill(account=leak(), program="python", limited=True, limit=OWN)
    verdict = stage.step(make, kills=(kill,))
    assert verdict.headline == (
        "leak.py fills its limit of 1.5 GiB; the kernel killed it; "
        "CPU usage high due to: Software build (make -j8)"
    )
    stage.play(make, lasting=70)
    assert stage.headlines[-1] == "CPU usage high due to: Software build (make -j8)"


def test_hostile_names_are_shown_harmlessly(stage: Stage, make_account: MakeAccount) -> None:
    victim = make_account("\x1b[2J\u202eevil", label="\x1b[2J\u202eevil")
    kill = MemoryKill(account=victim, program="\x1b[2J", held_bytes=GIB, limited=True, limit=OWN)
    verdict = stage.step(kills=(kill,))
    assert (verdict.headline or "").isprintable()
    assert all((event.message or "").isprintable() for event in stage.events)

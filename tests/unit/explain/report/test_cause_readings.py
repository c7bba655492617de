"""Causes as they are published: by what a person gets hold of them."""

from __future__ import annotations

from unit.explain.stage import MakeAccount, Stage

from publisher.ledger.naming.cgroup_names import place_of

ID = "1a2b3c4d5e6f" + "0" * 52


def test_a_unit_has_its_handles(stage: Stage, make_account: MakeAccount) -> None:
    cause = stage.play(
        make_account(
            "restic", 3.6, kind="unit", label="restic", unit="restic.service",
            place=place_of("/system.slice/restic.service"), pid=40, pids=(42, 40),
            network_receive_bytes_per_second=1e3, network_transmit_bytes_per_second=2e6,
        ),
        lasting=10,
    ).causes[0]  # fmt: skip
    assert (cause.pid, cause.pids) == (40, (42, 40))
    assert (cause.unit, cause.container_id) == ("restic.service", None)
    assert cause.cgroup == "/system.slice/restic.service"
    assert cause.to_stop == "systemctl stop restic.service"
    assert cause.network_bytes_per_second == 2_001_000.0


def test_a_container_has_its_number(stage: Stage, make_account: MakeAccount) -> None:
    cause = stage.play(
        make_account(
            "ffmpeg", 3.6, kind="container", label="jellyfin", called="jellyfin",
            pid=40, pids=(42, 40), place=place_of(f"/system.slice/docker-{ID}.scope"),
        ),
        lasting=10,
    ).causes[0]  # fmt: skip
    assert (cause.unit, cause.container_id) == (None, ID)
    assert cause.to_stop == "docker pause jellyfin"


def test_a_job_has_processes_alone(stage: Stage, make_account: MakeAccount) -> None:
    job = make_account("cc1", 3.6, kind="job", label="make -j8", pid=40, pids=(42, 41))
    cause = stage.play(job, lasting=10).causes[0]
    assert (cause.unit, cause.container_id, cause.cgroup) == (None, None, None)
    assert (cause.pid, cause.to_stop) == (40, "kill 40 42 41")


def test_numbers_of_processes_are_those_of_this_window(
    stage: Stage, make_account: MakeAccount
) -> None:
    """Who is not seen any more may have ended, and its number be another's."""
    job = make_account("cc1", 3.6, kind="job", label="make -j8", pid=40, pids=(42, 41))
    other = make_account("blender", 3.6, kind="job", label="blender", pid=50, pids=(50,))
    stage.play(job, lasting=10)
    causes = {cause.group: cause for cause in stage.step(other).causes}
    gone = causes["make -j8"]
    assert (gone.pid, gone.pids, gone.to_stop) == (None, None, None)
    cooling = stage.play(lasting=10).causes
    assert not any(cause.pid or cause.pids or cause.to_stop for cause in cooling)


def test_names_from_outside_are_printable(stage: Stage, make_account: MakeAccount) -> None:
    place = place_of("/user.slice/\x1b[2J\u202e.service")
    cause = stage.play(
        make_account("x", 3.6, kind="unit", label="x", place=place), lasting=10
    ).causes[0]
    assert cause.unit.isprintable()
    assert cause.cgroup.isprintable()
    assert cause.to_stop is None

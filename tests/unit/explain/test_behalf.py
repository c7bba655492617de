"""For whom a cause works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from unit.explain.stage import Stage, account

from publisher.contract.readings import CauseReading, EvidenceReading
from publisher.explain.behalf import _PROXIES, Peers
from publisher.explain.inputs import Signs
from publisher.explain.naming.rules import shipped
from publisher.ledger.accounts import Account, Balance, Correspondent, Correspondents

POSTGRES = account(
    "postgres", 1.6, kind="unit", label="postgresql@16-main", unit="postgresql@16-main.service"
)
IMMICH = account(
    "node", 0.4, kind="container", label="immich_server", container_name="immich_server",
    container_image="immich-app/immich-server",
)  # fmt: skip
NEXTCLOUD = account(
    "php-fpm", 0.2, kind="container", label="nextcloud", container_name="nextcloud",
    container_image="nextcloud",
)  # fmt: skip
PGBENCH = account("pgbench", 0.3, kind="job", label="pgbench", command="pgbench")
NGINX = account("nginx", 1.6, kind="unit", label="nginx", unit="nginx.service")
SMBD = account("smbd", 1.6, kind="unit", label="smbd", unit="smbd.service")


@dataclass
class Known:
    """What a test says of who is connected with whom."""

    by_label: Mapping[str, Correspondents | None] = field(default_factory=dict)
    called: Correspondents | None = None
    owners: Mapping[int, Account] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def correspondents(self, account: Account) -> Correspondents | None:
        self.asked.append(account.group.label)
        return self.by_label.get(account.group.label, Correspondents())

    def callers(self, port: int) -> Correspondents | None:
        assert port == 2049
        return self.called

    def account_of(self, pid: int) -> Account | None:
        return self.owners.get(pid)


def clients(*shares: tuple[Account, float], **more: Any) -> Correspondents:
    return Correspondents(clients=tuple(Correspondent(*pair) for pair in shares), **more)


class Play:
    """Windows of two seconds of a machine whose connections are known."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.headline: str | None = None

    def step(self, peers: Peers | None, *accounts: Account, **evidence: Any) -> list[CauseReading]:
        stage = self.stage
        stage.now += 2.0
        stage.wall += 2.0
        busy = sum(one.cpu_seconds for one in accounts)
        balance = Balance(window_seconds=2.0, cores=2, busy_seconds=busy, accounts=accounts)
        verdict = stage.explainer.judge(
            balance,
            EvidenceReading(cpu_percent=100 * busy / 4, **evidence),
            now=stage.now,
            wall=stage.wall,
            signs=Signs(),
            peers=peers,
        )
        self.headline = verdict.headline
        return list(verdict.causes)

    def whom(self, peers: Peers | None, *accounts: Account, **evidence: Any) -> str | None:
        """For whom the first of these works, after a while."""
        for _ in range(3):
            self.step(peers, *accounts, **evidence)
        causes = self.step(peers, *accounts, **evidence)
        wanted = accounts[0].group.label
        (cause,) = [one for one in causes if one.group == wanted]
        return cause.on_behalf_of


@pytest.fixture
def play() -> Play:
    return Play()


def test_a_database_works_for_its_application(play: Play) -> None:
    known = Known({"postgresql@16-main": clients((IMMICH, 0.9), (NEXTCLOUD, 0.04))})
    assert play.whom(known, POSTGRES, IMMICH) == "Immich"


def test_it_is_known_when_the_cause_begins(play: Play) -> None:
    known = Known({"postgresql@16-main": clients((IMMICH, 0.9))})
    causes: list[CauseReading] = []
    while not causes:
        causes = play.step(known, POSTGRES)
    assert causes[0].on_behalf_of == "Immich"
    assert "working for Immich" in str(play.headline)


def test_a_load_generator_is_one_story_with_its_server(play: Play) -> None:
    known = Known({"postgresql@16-main": clients((PGBENCH, 1.0))})
    assert play.whom(known, POSTGRES, PGBENCH) == "pgbench"
    assert play.headline == "CPU usage high due to: PostgreSQL database, working for pgbench"


def test_a_load_generator_that_leads_is_told_with_its_server(play: Play) -> None:
    wrk = account("wrk", 0.9, kind="job", label="wrk", command="wrk")
    known = Known({"nginx": clients((wrk, 1.0))})
    play.whom(known, account("nginx", 0.6, kind="unit", label="nginx", unit="nginx.service"), wrk)
    assert play.headline == "CPU usage high due to: nginx web server, working for wrk"


@pytest.mark.parametrize(
    ("label", "image", "whom"),
    [
        ("immich_server", "immich-app/immich-server", "Immich"),
        ("homeassistant", "home-assistant/home-assistant", "Home Assistant"),
        ("shop-web-1", "acme/shop", "shop-web-1"),
        ("nextcloud", "nextcloud", "Nextcloud"),
    ],
)
def test_a_client_is_called_as_its_owner_calls_it(
    play: Play, label: str, image: str, whom: str
) -> None:
    client = account(
        "node", 0.4, kind="container", label=label, container_name=label, container_image=image
    )
    assert play.whom(Known({"postgresql@16-main": clients((client, 0.9))}), POSTGRES) == whom


@pytest.mark.parametrize(
    "shares",
    [
        [(IMMICH, 0.5), (NEXTCLOUD, 0.45)],
        [(IMMICH, 0.3)],  # the rest is nobody's, or of who cannot be told
        [],
    ],
)
def test_what_is_not_clear_is_not_told(play: Play, shares: list[tuple[Account, float]]) -> None:
    assert play.whom(Known({"postgresql@16-main": clients(*shares)}), POSTGRES) is None


def test_one_that_is_well_ahead_is_told_with_the_number_of_the_others(play: Play) -> None:
    known = Known({"postgresql@16-main": clients((IMMICH, 0.5), (NEXTCLOUD, 0.3), (PGBENCH, 0.2))})
    assert play.whom(known, POSTGRES) == "Immich and 2 others"


def test_who_may_not_look_tells_nothing(play: Play) -> None:
    assert play.whom(Known({"postgresql@16-main": None}), POSTGRES) is None
    assert play.whom(None, POSTGRES) is None


def test_one_that_serves_nobody_is_not_asked(play: Play) -> None:
    known = Known({"ffmpeg": clients((IMMICH, 1.0))})
    assert play.whom(known, account("ffmpeg", 1.6, kind="job", label="ffmpeg")) is None
    assert known.asked == []


def test_a_proxy_works_for_whom_it_calls_unless_somebody_near_calls_it(play: Play) -> None:
    upstreams = (Correspondent(IMMICH, 0.8),)
    assert play.whom(Known({"nginx": Correspondents(upstreams=upstreams)}), NGINX) == "Immich"
    asked = (Correspondent(POSTGRES, 0.8), Correspondent(IMMICH, 0.1))
    assert Play().whom(Known({"nginx": Correspondents(upstreams=asked)}), NGINX) is None
    wrk = account("wrk", 0.5, kind="job", label="wrk", command="wrk")
    both = Correspondents(upstreams=upstreams, clients=(Correspondent(wrk, 0.9),))
    assert Play().whom(Known({"nginx": both}), NGINX) == "wrk"


def test_what_only_passes_on_is_asked_in_its_turn(play: Play) -> None:
    pooler = account("pgbouncer", 0.1, kind="unit", label="pgbouncer", unit="pgbouncer.service")
    known = Known(
        {
            "postgresql@16-main": clients((pooler, 1.0)),
            "pgbouncer": clients((IMMICH, 0.9)),
        }
    )
    assert play.whom(known, POSTGRES) == "Immich"
    known = Known(
        {"postgresql@16-main": clients((pooler, 1.0)), "pgbouncer": clients((pooler, 1.0))}
    )
    assert Play().whom(known, POSTGRES) is None, "no circles"


def test_an_engine_works_for_the_container_below_it(play: Play) -> None:
    shim = account(
        "containerd-shim", 1.6, kind="unit", label="containerd", unit="containerd.service"
    )
    known = Known({"containerd": Correspondents(inside=(IMMICH,))})
    assert play.whom(known, shim) == "Immich"


def test_people_who_use_a_file_server_are_counted(play: Play) -> None:
    assert play.whom(Known({"smbd": Correspondents(remote=1, remote_share=1.0)}), SMBD) == (
        "a file-sharing client"
    )
    assert Play().whom(Known({"smbd": Correspondents(remote=3, remote_share=0.9)}), SMBD) == (
        "3 file-sharing clients"
    )
    named = Correspondents(remote=2, remote_share=0.9, remote_names=("10.0.0.7", "10.0.0.9"))
    assert Play().whom(Known({"smbd": named}), SMBD) == "10.0.0.7 and 1 other"


# --- how long it is told --------------------------------------------------------------------------


def test_a_clear_answer_is_told_on_for_a_while(play: Play) -> None:
    assert play.whom(Known({"postgresql@16-main": clients((IMMICH, 0.9))}), POSTGRES) == "Immich"
    unclear = Known({"postgresql@16-main": clients((IMMICH, 0.5), (NEXTCLOUD, 0.5))})
    told = [play.step(unclear, POSTGRES)[0].on_behalf_of for _ in range(14)]
    assert told[:5] == ["Immich"] * 5
    assert told[-1] is None
    assert told.index(None) <= 9


def test_it_does_not_change_at_every_wobble(play: Play) -> None:
    known = {
        name: Known({"postgresql@16-main": clients((whom, 0.9))})
        for name, whom in (("a", IMMICH), ("b", NEXTCLOUD))
    }
    assert play.whom(known["a"], POSTGRES) == "Immich"
    told = [play.step(known["ab"[n // 3 % 2]], POSTGRES)[0].on_behalf_of for n in range(12)]
    assert set(told) == {"Immich"}
    told = [play.step(known["b"], POSTGRES)[0].on_behalf_of for _ in range(10)]
    assert (told[0], told[-1]) == ("Immich", "Nextcloud")
    assert len(set(told)) == 2


def test_connections_are_looked_at_seldom(play: Play) -> None:
    known = Known({"postgresql@16-main": clients((IMMICH, 0.9))})
    for _ in range(20):
        play.step(known, POSTGRES)
    assert 5 <= len(known.asked) <= 11


def test_at_rest_nobody_is_asked(play: Play) -> None:
    known = Known()
    for _ in range(5):
        play.step(known, account("postgres", 0.01, kind="unit", unit="postgresql.service"))
    assert known.asked == []


# --- the kernel -----------------------------------------------------------------------------------


def kernel(label: str) -> Account:
    return account(label, 1.6, kind="kernel", label=label)


BORG = account(
    "borg", 0.3, kind="job", label="borg create", command="borg create",
    disk_read_bytes_per_second=90e6, disk_write_bytes_per_second=10e6,
)  # fmt: skip
CURL = account(
    "curl", 0.2, kind="job", label="curl", network_receive_bytes_per_second=90e6,
    memory_growth_bytes_per_second=5e6, disk_read_bytes_per_second=1e6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("label", "whom"),
    [
        ("kworker writeback", "borg create"), ("kworker kcryptd/253:0", "borg create"),
        ("z_wr_iss", "borg create"), ("btrfs-endio-write", "borg create"), ("loop0", "borg create"),
        ("ksoftirqd", "curl"), ("wg-crypt-wg0", "curl"), ("kswapd0", "curl"),
        ("rcu_preempt", None), ("irq", None),
    ],
)  # fmt: skip
def test_the_kernel_works_for_who_has_most_of_it(play: Play, label: str, whom: str | None) -> None:
    assert play.whom(Known(), kernel(label), BORG, CURL) == whom


def test_of_two_who_write_alike_none_is_told(play: Play) -> None:
    other = account("tar", 0.3, kind="job", label="tar", disk_write_bytes_per_second=90e6)
    assert play.whom(None, kernel("kworker writeback"), BORG, other) is None


def test_who_moves_a_small_part_of_what_is_measured_is_not_told(play: Play) -> None:
    whom = play.whom(None, kernel("kworker writeback"), BORG, disk_bytes_per_second=900e6)
    assert whom is None, "others' bytes are hidden from this user"


def test_the_thread_of_a_virtual_machine_works_for_it(play: Play) -> None:
    machine = account("qemu", 0.2, kind="unit", label="100", unit="100.scope")
    known = Known(owners={4711: machine})
    assert play.whom(known, kernel("vhost-4711"), machine) == "Virtual machine 100"
    assert Play().whom(Known(), kernel("vhost-4711"), machine) is None


def test_the_kernels_file_server_works_for_its_clients(play: Play) -> None:
    known = Known(called=Correspondents(remote=2, remote_share=1.0))
    assert play.whom(known, kernel("nfsd")) == "2 file-sharing clients"


def test_the_proxies_are_rules_that_there_are() -> None:
    assert {name for rules in shipped().values() for name in rules} >= _PROXIES

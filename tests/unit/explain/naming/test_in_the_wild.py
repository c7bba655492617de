"""Work as it is found on NAS boxes, hypervisors, clusters, desktops and under attack."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification, Classifier
from publisher.explain.naming.rules import RuleBook, load
from publisher.ledger.accounts import Clues, WorkGroup


@pytest.fixture(scope="module")
def book() -> RuleBook:
    return load()


def asked(book: RuleBook, kind: str = "program", label: str = "", **clues: Any) -> Classification:
    name = label or clues.get("container_name") or clues.get("unit") or clues.get("program", "")
    return Classifier(book).classify(WorkGroup("k", GroupKind(kind), name), Clues(**clues))


def program(name: str, **more: Any) -> dict[str, Any]:
    return {"program": name, "members": (name,), **more}


def java(main: str) -> dict[str, Any]:
    return program("java", script=main)


def job(command: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": "job", "label": command, "command": command, **program(name, **more)}


def unit(unit: str, name: str, **more: Any) -> dict[str, Any]:
    label = more.pop("label", unit.removesuffix(".service"))
    return {"kind": "unit", "label": label, "unit": unit, **program(name, **more)}


def box(container: str, name: str, image: str = "", **more: Any) -> dict[str, Any]:
    return {
        "kind": "container",
        "label": container,
        "container_name": container,
        "container_image": image,
        **program(name, **more),
    }


def kernel(name: str) -> dict[str, Any]:
    return {"kind": "kernel", "program": name}


MINERS: list[dict[str, Any]] = [
    box("redis", "kinsing", "redis:7"),
    box("redis", "kdevtmpfsi", "redis:7", ancestors=("redis-server",)),
    box("shop-redis-1", "redis-server", "redis:7", members=("redis-server", "kdevtmpfsi")),
    unit("wazuh-agent.service", "xmrig", label="wazuh-agent"),
    unit("clamav-daemon.service", "xmrig", label="clamav-daemon"),
    job("xmrig", "xmrig", ancestors=("cron",)),
    program("xmrig", ancestors=("java",)),
    program("xmrig", ancestors=("bedrock_server",)),
    job("x", "x", members=("x", "xmrig")),
    box("pterodactyl", "xmrig-6.21.0", "ghcr.io/pterodactyl/yolks:java_17"),
    box("build", "xmrig", "gitlab/gitlab-runner:latest"),
    unit("postgresql@15-main.service", "kdevtmpfsi"),
    unit("gitlab-runsvdir.service", "xmrig"),
    unit("cron.service", "sysrv012"),
    job("./xmrig-6.22.2", "xmrig-6.22.2"),
    program("xmrig.exe"),
    program("XMRig-cuda"),
    program("xmr-stak-rx"),
    program("xmrig-proxy"),
    program("lolMiner"),
    program("lolMiner_v1.88"),
    program("SRBMiner-MULTI"),
    program("nbminer"),
    program("teamredminer"),
    program("PhoenixMiner"),
    program("ethminer"),
    program("cpuminer-sse2"),
    program("cpuminer-avx2"),
    program("minerd"),
    program("ccminer"),
    program("cgminer"),
    program("bfgminer"),
    program("bzminer"),
    program("rigel"),
    program("wildrig-multi"),
    program("onezerominer"),
    program("nanominer"),
    program("t-rex"),
    program("t-rex-0.26.8"),
    program("miner", executable="/tmp/gminer/miner"),
    program("watchbog"),
    program("kworkerds"),
    program("kerberods"),
    program("ddgs.3014"),
    program("qW3xT.4"),
    program("sustes"),
    program("dbused"),
    program("kinsing2083"),
    program("alice_xmrig"),
    program("python3", script="PC_Miner.py"),
    box("box", "app", "someone/alpine-xmrig:latest"),
    program("hezb"),
    program("kthreaddk"),
    program("perfctl"),
    program("tsm64", ancestors=("sh",)),
    program("kswapd0", executable="/root/.configrc7/a/kswapd0"),
    program("kswapd0", executable="/tmp/.X25-unix/.rsync/a/kswapd0"),
    program("networkservice", executable="/etc/.x/networkservice"),
    program("sysupdate", executable="/tmp/sysupdate"),
    program("bioset", executable="/var/tmp/.b/bioset", disguise="runs from a hidden folder"),
    program("-bash", executable="/usr/bin/-bash", mining=True),
    program("java", script="app.jar", mining=True),
    program("monerod", mining=True),
    box("web", "nginx", "nginx:1", mining=True),
    box("xmrig", "app", "metal3d/xmrig:latest"),
    box("miner", "xmr", "alpine:3"),
    unit("xmrig.service", "app"),
    unit("moneroocean_miner.service", "xmrig"),
    unit("c3pool_miner.service", "app", executable="/root/c3pool/app"),
    job("start-xmrig.sh", "bash", script="start-xmrig.sh"),
    job("run.sh", "bash", script="run.sh", worker_script="xmrig", members=("bash", "xmrig")),
]

NO_MINERS: list[dict[str, Any]] = [
    program("monerod"),
    program("bitcoind"),
    program("bitcoin-qt"),
    program("geth"),
    program("electrs"),
    program("lnd"),
    program("chia_harvester"),
    program("chia_farmer"),
    program("monero-wallet-rpc"),
    program("electrum"),
    box("monerod", "monerod", "ghcr.io/sethforprivacy/simple-monerod:latest"),
    box("bitcoin-node-1", "bitcoind", "bitcoin/bitcoin:28"),
    unit("monerod.service", "monerod"),
    program("boinc"),
    program("FAHCoreWrapper"),
    program("mineru"),
    job("python3 data-miner.py", "python3", script="data-miner.py"),
    program("minerstat"),
    program("rapidminer"),
    program("java", script="com.rapidminer.launcher.GUILauncher"),
    program("tracker-miner-fs-3"),
    program("localsearch-3"),
    program("minecraft"),
    program("minetest"),
    program("t-rex-64"),
    program("_t-rex-64"),
    program("masscan"),
    program("pnscan"),
    program("networkservice"),
    program("sysupdate"),
    unit("NetworkManager.service", "NetworkManager"),
    program("kswapd0"),
    kernel("bioset"),
    kernel("kdevtmpfs"),
    kernel("kthreadd"),
    kernel("watchdogd"),
    box("xmrig-exporter", "xmrig_exporter", "acme/xmrig-exporter"),
    job("git clone", "git", script=""),
    program("minersoft"),
    program("miner"),
    program("xmris"),
    box("process-miner-1", "java", "acme/process-miner"),
    unit("undermine.service", "undermine"),
    program("networkd-dispat"),
]

WILD: list[tuple[str, str, dict[str, Any]]] = [
    # nodes and wallets
    ("database", "Blockchain node", program("monerod")),
    ("database", "Blockchain node", box("bitcoin-node-1", "bitcoind", "bitcoin/bitcoin:28")),
    # disguises
    (
        "shell",
        "Compression (calls itself kauditd0)",
        program("kauditd0", executable="/usr/bin/xz", disguise="calls itself kauditd0, is xz"),
    ),
    (
        "unknown",
        "(calls itself rsync)",
        program("rsync", executable="/usr/bin/perl", disguise="calls itself rsync, is perl"),
    ),
    ("unknown", "kswapd0", program("kswapd0", executable="/home/u/kswapd0")),
    ("unknown", "[kworker/0:2]", program("[kworker/0:2]", executable="/tmp/x")),
    ("unknown", "kworker/u8:3", program("kworker/u8:3")),
    (
        "unknown",
        "sshd",
        program("sshd", executable="/dev/shm/a", disguise="calls itself sshd, is a"),
    ),
    # units
    ("web", "Tomcat web server", unit("tomcat9.service", "java")),
    ("web", "Tomcat web server", unit("tomcat10.service", "java", script="Bootstrap")),
    ("gaming", "Minecraft", unit("minecraft@survival.service", "java", script="x.jar")),
    ("web", "PHP", unit("php8.2-fpm.service", "php-fpm8.2")),
    ("database", "PostgreSQL", unit("postgresql@15-main.service", "postgres")),
    ("database", "PostgreSQL", unit("postgresql-15.service", "postgres")),
    ("media", "Immich", unit("docker-immich.service", "node")),
    ("media", "Immich", unit("podman-immich.service", "node")),
    ("media", "Immich", unit("docker-compose@immich.service", "node")),
    ("media", "Jellyfin", unit("container-jellyfin.service", "dotnet")),
    ("media", "Plex", unit("snap.plexmediaserver.plexmediaserver.service", "x")),
    ("database", "Redis", unit("redis-server@cache.service", "x")),
    ("database", "Redis", unit("redis6.service", "x")),
    ("database", "Redis", unit("snap.redis.server.service", "x")),
    ("database", "MariaDB", unit("mariadb@one.service", "x")),
    ("downloads", "Transmission", unit("transmission.service", "x")),
    ("smart_home", "", unit("zigbee2mqtt@2.service", "node", script="index.js")),
    ("smart_home", "Home Assistant", unit("home-assistant@homeassistant.service", "python3")),
    ("media", "Navidrome|Music", unit("navidrome.service", "x")),
    ("monitoring", "Grafana", unit("grafana-server.service", "x")),
    ("backup", "Syncthing", unit("syncthing@alice.service", "x")),
    ("backup", "", unit("redis-backup.service", "redis-cli")),
    ("backup", "restic", unit("restic-backup.service", "restic")),
    ("monitoring", "", unit("postgres_exporter.service", "postgres_exporter")),
    ("unknown", "nginx-log-cleaner", unit("nginx-log-cleaner.service", "python3", script="c.py")),
    ("unknown", "wait-for-postgres", unit("wait-for-postgres.service", "bash", script="w.sh")),
    ("unknown", "frobd", unit("frobd.service", "frobd")),
    # What a unit starts for others is not the unit's.
    ("desktop", "Input method", unit("dbus.service", "mozc_server")),
    ("system", "message bus", unit("dbus.service", "dbus-daemon")),
    ("desktop", "Firefox", unit("app-firefox-1234.scope", "firefox", label="firefox")),
    ("media", "GIMP", unit("app-gnome-org.gimp.GIMP-1234.scope", "gimp-2.10", label="GIMP")),
    # containers
    ("backup", "Backup", box("mailcow-backup", "pigz", "debian:stretch-slim")),
    (
        "media",
        "plex-auto-languages",
        box("plex-auto-languages", "python3", "x/plex-auto-languages"),
    ),
    (
        "unknown",
        "wrong-notebook",
        box("wrong-notebook", "x64k", executable="/tmp/x64k", ancestors=("sh", "next-server")),
    ),
    ("database", "PostgreSQL", box("shop-postgres-1", "postgres")),
    ("database", "PostgreSQL", box("3f2a1b4c5d6e_shop-postgres-1", "postgres")),
    ("media", "Immich", box("immich-server-6d4cf56db6-x7k2p", "node")),
    ("monitoring", "Prometheus", box("prometheus-server-0", "prometheus")),
    ("database", "Redis", box("stack_redis.1.k3j2h4g5f6d7s8a9q0w1e2r3t", "redis-server")),
    ("web", "nginx", box("ecs-shop-7-nginx-9af0b1c2d3e4f5a6b700", "nginx")),
    ("web", "nginx", box("nginx-1f0e2d3c-4b5a-6978-8796-a5b4c3d2e1f0", "nginx")),
    ("web", "nginx", box("k8s_nginx_web-0_prod_0a1b2c3d_0", "nginx")),
    ("monitoring", "", box("redis-exporter", "redis_exporter")),
    ("unknown", "shop-web", box("shop-web-5c9d8f7b6d-zx9k4", "app")),
    ("unknown", "my-api", box("tender_bose", "node", "acme/my-api:3", script="x.js")),
    ("unknown", "studio", box("shop-studio-1", "node", script="x.js")),
    ("unknown", "code", box("shop-code-1", "app")),
    ("web", "Keycloak|Java", box("auth-keycloak-1", "java")),
    ("media", "Immich", {**box("112", "node"), "unit": "immich-web.service"}),
    ("unknown", "frob", {**box("112", "node"), "unit": "frob.service"}),
    ("media", "Jellyfin", {**box("media-ct", "jellyfin"), "unit": "jellyfin.service"}),
    ("database", "PostgreSQL", box("db", "postgres", "bitnami/postgresql-repmgr:16")),
    ("web", "WordPress", box("blog", "apache2", "wordpress:6-apache")),
    ("database", "PostgreSQL", box("nextcloud-aio-database", "postgres")),
    ("database", "PostgreSQL", box("kc-postgres-keycloak-1", "postgres")),
    ("web", "gotenberg|Web", box("paperless-gotenberg-1", "chromium")),
    ("web", "PHP", box("app", "php-fpm")),
    ("backup", "", unit("postgresql-backup.service", "pg_dump")),
    ("backup", "", unit("nextcloud-backup.service", "tar")),
    ("unknown", "docker-host", box("docker-host", "frob")),
    ("web", "Background jobs", unit("mastodon-sidekiq.service", "ruby")),
    # the job wins
    ("backup", "ZFS replication", job("zfs send", "ssh", members=("ssh", "zfs"))),
    ("backup", "rsync", job("rsync", "ssh", members=("ssh", "rsync"))),
    ("backup", "rsync file copy", job("rsync", "rsync")),
    ("unknown", "x", job("./x", "x", executable="/home/u/x")),
    ("backup", "Borg", job("borg create", "ssh", members=("ssh", "borg"))),
    ("development", "Software build", job("make -j8", "cc1")),
    ("backup", "Archiving", program("gzip", ancestors=("tar",))),
    # what nobody knows
    ("unknown", "report.py", job("python3 report.py", "python3", script="report.py")),
    ("media", "convert.sh", job("convert.sh", "bash", script="convert.sh")),
    ("unknown", "foo.php", job("php foo.php", "php", script="foo.php")),
    ("unknown", "loads.py", job("node loads.py", "python3", script="loads.py")),
    ("unknown", "Main", job("java Main", "java", script="com.acme.Main")),
    (
        "ai",
        "ML training",
        job("run.sh", "python3", script="run.sh", worker_script="train.py", interpreter="bash"),
    ),
    (
        "media",
        "convert-all.sh",
        job(
            "convert-all.sh",
            "python3",
            script="convert-all.sh",
            worker_script="scale.py",
            interpreter="bash",
        ),
    ),
    (
        "media",
        "Video transcoding",
        job("convert-all.sh", "ffmpeg", script="convert-all.sh", interpreter="bash"),
    ),
    ("shell", "", job("bash", "bash")),
    ("shell", "", program("find")),
    ("shell", "", program("sort")),
    # Java
    (
        "web",
        "Tomcat web server",
        job("java", "java", script="org.apache.catalina.startup.Bootstrap"),
    ),
    ("database", "Elasticsearch", java("org.elasticsearch.bootstrap.Elasticsearch")),
    ("database", "Cassandra", java("org.apache.cassandra.service.CassandraDaemon")),
    ("development", "Gradle", java("org.gradle.launcher.daemon.bootstrap.GradleDaemon")),
    ("ai", "vLLM", program("python3", script="vllm.entrypoints.openai.api_server")),
    ("gaming", "Minecraft", program("java", script="net.minecraft.server.Main")),
    # kernel work
    ("system", "Btrfs", kernel("kworker/u8:2-btrfs-endio")),
    ("system", "Btrfs", kernel("btrfs-transacti")),
    ("system", "disk encryption", kernel("kworker/u16:3-kcryptd/253:0")),
    ("system", "disk encryption", kernel("kcryptd/253:0")),
    ("system", "disk encryption", kernel("dmcrypt_write/253:0")),
    ("remote_access", "WireGuard", kernel("kworker/2:1-wg-crypt-wg0")),
    ("remote_access", "WireGuard", kernel("wg-crypt-wg0")),
    ("system", "writing", kernel("kworker/u8:1-flush-253:0")),
    ("system", "writing", kernel("kworker/u8:1+flush-8:0")),
    ("system", "writing", kernel("kworker/u8:1-writeback")),
    ("system", "graphics", kernel("irq/130-nvidia")),
    ("system", "graphics", kernel("irq nvidia")),
    ("system", "writing", kernel("kworker flush")),
    ("system", "disk encryption", kernel("kworker kcryptd")),
    ("system", "hardware interrupts", kernel("irq/16-ehci_hcd")),
    ("system", "hardware interrupts", kernel("irq ehci_hcd")),
    ("system", "ZFS", kernel("z_wr_iss")),
    ("system", "ZFS", kernel("z_wr_iss_h")),
    ("system", "ZFS", kernel("zvol_tq-0")),
    ("system", "ZFS", kernel("txg_sync")),
    ("system", "ZFS", kernel("arc_prune")),
    ("system", "ZFS", kernel("spl_dynamic_tas")),
    ("system", "file system", kernel("jbd2/sda1-8")),
    ("system", "file system", kernel("kworker/3:1-xfs-cil/dm-0")),
    ("system", "file system", kernel("xfsaild/dm-0")),
    ("system", "file system", kernel("ext4-rsv-conver")),
    ("system", "file system", kernel("bcachefs-reclai")),
    ("system", "file system", kernel("loop0")),
    ("system", "software RAID", kernel("md0_raid5")),
    ("system", "RAID check", kernel("md127_resync")),
    ("file_sharing", "NFS", kernel("nfsd")),
    ("file_sharing", "Samba", kernel("ksmbd:eth0")),
    ("virtualization", "", kernel("kvm-pit/1234")),
    ("virtualization", "", kernel("vhost-4321")),
    ("system", "network", kernel("ksoftirqd/3")),
    ("system", "network", kernel("kworker/u9:1-mlx5_cmd")),
    ("system", "memory reclaim", kernel("kcompactd0")),
    ("system", "memory reclaim", kernel("khugepaged")),
    ("system", "memory reclaim", kernel("ksmd")),
    ("system", "memory reclaim", kernel("kswapd1")),
    ("system", "disk access", kernel("kthrotld")),
    ("system", "disk access", kernel("nvme-wq")),
    ("system", "disk access", kernel("scsi_eh_3")),
    ("system", "disk access", kernel("usb-storage")),
    ("system", "disk access", kernel("kworker/u64:7-dm-thin")),
    ("system", "DRBD", kernel("drbd_w_r0")),
    ("system", "graphics", kernel("kworker/0:2-i915-unordered")),
    ("system", "graphics", kernel("amdgpu-reset-de")),
    ("system", "graphics", kernel("nv_queue")),
    ("system", "graphics", kernel("UVM global queue")),
    ("system", "graphics", kernel("nvidia-modeset/")),
    ("system", "kernel work", kernel("rcu_preempt")),
    ("system", "kernel work", kernel("migration/2")),
    ("system", "kernel work", kernel("watchdog")),
    ("system", "file system", kernel("dio")),
    ("system", "kernel work", kernel("kworker/u8:2+events_unbound")),
    ("system", "kernel work", kernel("kworker/0:1-events")),
    ("system", "firmware", kernel("kworker/0:0-kacpid")),
]


def named(case: dict[str, Any]) -> str:
    return str(case.get("label") or case["program"])


@pytest.mark.parametrize("clues", MINERS, ids=named)
def test_every_miner_is_found(book: RuleBook, clues: dict[str, Any]) -> None:
    answer = asked(book, **clues)
    assert answer.category == "cryptomining", answer


@pytest.mark.parametrize("clues", NO_MINERS, ids=named)
def test_nothing_else_is_taken_for_one(book: RuleBook, clues: dict[str, Any]) -> None:
    answer = asked(book, **clues)
    assert answer.category != "cryptomining", answer


@pytest.mark.parametrize(
    ("category", "label", "clues"), WILD, ids=[f"{case[0]}: {named(case[2])}" for case in WILD]
)
def test_what_it_is(book: RuleBook, category: str, label: str, clues: dict[str, Any]) -> None:
    answer = asked(book, **clues)
    assert answer.category == category, answer
    assert any(part.lower() in answer.label.lower() for part in label.split("|")), answer


BESIDE: list[tuple[str, str, dict[str, Any]]] = [
    # a folder says more than a file that is called like many
    ("ai", "Machine learning", unit("voice-agent.service", "node", script="voice-agent/index.js")),
    ("web", "Node web application", unit("fib.service", "node", script="fib/entry.mjs")),
    # a word that says little says nothing at the end of another
    # what a program's server does for a language model is not that program
    ("ai", "Machine learning", unit("mcp-osquery.service", "python", script="mcp_osquery.server")),
    # a name drawn by lot in somebody else's container
    ("unknown", "0DJbp5eh", box("postgres12", "0DJbp5eh", "postgres:12.4")),
    ("database", "PostgreSQL database", box("postgres12", "pgBouncer2", "postgres:12.4")),
    # a host's helpers are its own
    ("virtualization", "Kubernetes", unit("kubelet.service", "du")),
    # no pattern of programs is meant for a script
    ("backup", "Oracle database backup", job("oracle_rman_backup.sh", "rman")),
    # who runs a project does not answer for it
    ("unknown", "blast.daemon", program("python", script="blast.daemon", ancestors=("uv",))),
    # an application in one file
    ("gaming", "RuneScape", program("RuneLite.AppImage", executable="/home/u/RuneLite.AppImage")),
    ("gaming", "RuneScape", program("runelite-2.1-x86_64.AppImage")),
]


@pytest.mark.parametrize(("category", "label", "clues"), BESIDE)
def test_what_stands_beside_a_name(
    book: RuleBook, category: str, label: str, clues: dict[str, Any]
) -> None:
    answer = asked(book, **clues)
    assert (answer.category, answer.label) == (category, label), answer


def test_a_worker_of_a_panel_is_the_panels(book: RuleBook) -> None:
    answer = asked(
        book, **program("php-cgi", ancestors=("cpsrvd",), worker_script="afterlogic/index.php")
    )
    assert (answer.label, answer.category) == ("Dashboard", "web")


def test_a_game_is_told_below_its_launcher(book: RuleBook) -> None:
    answer = asked(book, **unit("app-steam@autostart.service", "Balatro.exe", label="steam"))
    assert answer.told == "Steam (Balatro.exe)"


def test_a_suspicion_is_never_a_certainty(book: RuleBook) -> None:
    answer = asked(book, **program("networkservice", executable="/tmp/networkservice"))
    assert (answer.label, answer.confidence) == ("Suspected cryptominer networkservice", 0.6)
    assert "hides" in answer.reason


def test_a_contradiction_is_told_and_lowers_confidence(book: RuleBook) -> None:
    answer = asked(
        book, **program("nginx", executable="/opt/x/nginx", disguise="its program was deleted")
    )
    assert (answer.category, answer.confidence) == ("web", 0.6)
    assert "its program was deleted" in answer.reason
    temporary = asked(
        book, **program("nginx", executable="/dev/shm/nginx", disguise="runs from /dev/shm")
    )
    assert (temporary.category, temporary.label) == ("unknown", "nginx")
    thread = asked(book, **program("kswapd0", executable="/home/u/kswapd0"))
    assert (thread.label, thread.confidence) == ("kswapd0", 0.3)
    assert "called like a kernel thread" in thread.reason


def test_a_miner_is_sure_in_spite_of_its_disguise(book: RuleBook) -> None:
    answer = asked(
        book, **program("sshd", executable="/tmp/xmrig", disguise="calls itself sshd, is xmrig")
    )
    assert (answer.category, answer.confidence) == ("cryptomining", 0.95)


def test_what_an_options_sign_tells_names_the_program(book: RuleBook) -> None:
    answer = asked(book, **program("systemd-logind", mining=True))
    assert (answer.label, answer.confidence) == ("Cryptominer systemd-logind", 0.9)


def test_a_tool_in_somebodys_own_is_less_sure(book: RuleBook) -> None:
    alone = asked(book, **job("ffmpeg", "ffmpeg"))
    inside = asked(book, **job("convert.sh", "ffmpeg", script="convert.sh"))
    assert (alone.confidence, inside.confidence) == (0.95, 0.8)


def test_a_name_is_doubted_where_anyone_may_put_a_file(book: RuleBook) -> None:
    sure = asked(book, **program("dockerd", executable="/usr/bin/dockerd"))
    found = asked(book, **program("dockerd", executable="/tmp/dockerd"))
    assert (sure.category, sure.confidence) == ("virtualization", 0.95)
    assert (found.category, found.confidence) == ("virtualization", 0.6)
    assert "where anyone may put one" in found.reason


def test_a_beginning_is_a_guess(book: RuleBook) -> None:
    found = asked(book, **program("python3", script="plex_posters/main.py"))
    assert (found.category, found.confidence, found.label) == ("media", 0.5, "plex_posters/main.py")
    assert asked(book, **program("plex-lookalike")).category == "unknown"


def test_a_part_of_a_name_is_less_sure_than_the_whole(book: RuleBook) -> None:
    whole = asked(book, **box("grafana", "frob"))
    part = asked(book, **box("shop-grafana-app", "frob"))
    agreed = asked(book, **box("shop-grafana-app", "grafana"))
    assert (whole.confidence, part.confidence, agreed.confidence) == (0.9, 0.8, 0.9)

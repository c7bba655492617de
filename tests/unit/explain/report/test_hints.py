"""Commands that stop or pause a cause: right, harmless, and safe to copy."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.contract.readings import CATEGORIES, GroupKind
from publisher.explain.naming.classifier import Classification
from publisher.explain.report.hints import to_stop
from publisher.ledger import Account, Clues, WorkGroup
from publisher.ledger.naming.cgroup_names import place_of

ID = "1a2b3c4d5e6f" + "0" * 52
SESSION = "/user.slice/user-1000.slice/user@1000.service"


def found(category: str = "backup") -> Classification:
    return Classification(category, "Whatever", 0.9, "", "")


def at(path: str, called: str = "", category: str = "backup") -> str | None:
    """The hint for a group in a control group; ``called``: by what a runtime knows a container."""
    place = place_of(path)
    assert place is not None
    account = Account(
        group=WorkGroup("key", place.kind, place.label), clues=Clues(), cpu_seconds=1.0,
        place=place, pid=4711, called=called,
    )  # fmt: skip
    return to_stop(account, found(category))


def process(
    label: str, category: str = "shell", kind: str = "job", command: str = "", **facts: Any
) -> str | None:
    """The hint for processes outside all units and containers."""
    group = WorkGroup("key", GroupKind(kind), label)
    clues = Clues(program=label.partition(" ")[0], command=command or label)
    account = Account(group=group, clues=clues, cpu_seconds=1.0, **{"pid": 4711, **facts})
    return to_stop(account, found(category))


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/system.slice/restic.service", "systemctl stop restic.service"),
        ("/system.slice/a.slice/php-fpm@8.2.service", "systemctl stop php-fpm@8.2.service"),
        (r"/system.slice/my\x2dapp.service", r"systemctl stop 'my\x2dapp.service'"),
        (f"{SESSION}/app.slice/syncthing.service",
         "systemctl --user -M 1000@.host stop syncthing.service"),
        (f"{SESSION}/app.slice/app-firefox-1234.scope",
         "systemctl --user -M 1000@.host stop app-firefox-1234.scope"),
        ("/qemu.slice/100.scope", "qm suspend 100"),
        (r"/machine.slice/machine-qemu\x2d3\x2dwin11.scope", "virsh suspend win11"),
        ("/machine.slice/systemd-nspawn@web.service", "machinectl poweroff web"),
        ("/lxc/112/ns", "lxc-freeze -n 112"),
        ("/lxc/112/ns/system.slice/immich.service",
         "pct exec 112 -- systemctl stop immich.service"),
        ("/machine.slice/systemd-nspawn@web.service/payload/system.slice/shop.service",
         "systemctl -M web stop shop.service"),
    ],
)  # fmt: skip
def test_each_kind_has_its_command(path: str, hint: str) -> None:
    assert at(path) == hint


def test_containers_are_paused_by_name_or_number() -> None:
    docker = f"/system.slice/docker-{ID}.scope"
    assert at(docker, "jellyfin") == "docker pause jellyfin"
    assert at(docker, "shop-db-1") == "docker pause shop-db-1"
    assert at(docker) == "docker pause 1a2b3c4d5e6f"
    assert at(docker, "--all") == "docker pause 1a2b3c4d5e6f"
    assert at(f"/machine.slice/libpod-{ID}.scope", "web") == "podman pause web"


def test_what_lies_in_a_persons_own_session_is_paused_as_that_person() -> None:
    """There they make what control groups they like, those of others' containers too."""
    podman = at(f"{SESSION}/user.slice/libpod-{ID}.scope", "web")
    assert podman == "sudo -u '#1000' XDG_RUNTIME_DIR=/run/user/1000 podman pause web"
    assert at(f"{SESSION}/docker-{ID}.scope", "web") is None
    assert at(rf"{SESSION}/machine-qemu\x2d3\x2dwin11.scope") is None
    assert at(f"{SESSION}/qemu.slice/100.scope") == "systemctl --user -M 1000@.host stop 100.scope"


def test_what_lies_inside_a_container_does_not_stop_all_of_it() -> None:
    inside = "system.slice"
    assert at(f"/lxc/112/ns/{inside}/systemd-journald.service") is None
    assert at(f"/lxc.payload.web/{inside}/shop.service") is None, "of LXD, Incus or LXC?"
    assert at(f"/docker/{ID}/{inside}/shop.service") is None
    assert at(f"/lxc/112/ns/{inside}/docker-{ID}.scope") is None
    assert at(rf"/lxc/112/ns/{inside}/a$(reboot).service") is None


def test_the_node_gives_no_hint_for_a_pod() -> None:
    assert at(f"/kubepods.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", "api") is None
    assert at(f"/kubepods/burstable/pod1/docker-{ID}.scope", "api") is None


@pytest.mark.parametrize(
    "path",
    [
        "/system.slice/dropbear.service", "/system.slice/dbus.service",
        "/system.slice/systemd-journald.service", "/system.slice/NetworkManager.service",
        "/system.slice/gdm.service", "/system.slice/docker.service", "/system.slice/lxcfs.service",
        "/system.slice/pvedaemon.service", "/system.slice/libvirtd.service",
        "/system.slice/fanwhy-pub.service", "/system.slice/tailscaled.service",
        "/system.slice/wg-quick@wg0.service", "/system.slice/mdmonitor.service",
        f"{SESSION}/session.slice/org.gnome.Shell@wayland.service",
        f"{SESSION}/app.slice/app-org.gnome.Terminal.slice/gnome-terminal-server.service",
        f"{SESSION}/app.slice/app-org.kde.konsole-99.scope",
        f"{SESSION}/session.slice/anything.service",
    ],
)  # fmt: skip
def test_what_others_stand_on_is_left_alone(path: str) -> None:
    assert at(path) is None


def test_a_job_gets_a_signal_and_all_of_it_where_it_leads() -> None:
    assert process("nightly.sh") == "kill 4711"
    assert process("make -j8", "development", process_group=4711) == "kill -- -4711"
    assert process("make -j8", pid=None) is None
    assert process("make", pid=1) is None


@pytest.mark.parametrize(
    ("label", "category", "kind"),
    [
        ("postgres", "database", "program"), ("bash", "shell", "program"),
        ("sshd", "system", "program"), ("crond", "system", "program"),
        ("Xorg", "desktop", "program"),
        ("qemu-system-x86_64", "virtualization", "job"), ("apt-get upgrade", "updates", "job"),
        ("dpkg -i x.deb", "system", "job"), ("e2fsck /dev/sda1", "system", "job"),
        ("ssh nas", "remote_access", "job"), ("dockerd", "development", "program"),
        ("fanwhy-pub", "monitoring", "program"), ("init", "system", "program"),
    ],
)  # fmt: skip
def test_what_a_signal_would_break_gets_none(label: str, category: str, kind: str) -> None:
    assert process(label, category, kind) is None


def test_fanwhy_itself_gets_none() -> None:
    group = WorkGroup("own", GroupKind.PROGRAM, "me", own=True)
    account = Account(group=group, clues=Clues(program="me"), cpu_seconds=1.0, pid=4711)
    assert to_stop(account, found()) is None


def test_kernel_work_is_paused_by_its_tool_where_that_is_known() -> None:
    def hint(label: str, *pauses: str) -> str | None:
        group = WorkGroup("k", GroupKind.KERNEL, label)
        account = Account(group=group, clues=Clues(), cpu_seconds=1.0, pid=77)
        return to_stop(account, found("system"), pauses)

    check, scrub = "mdadm --action=idle /dev/md0", "zpool scrub -p tank"
    assert hint("md0_resync", check, scrub) == check
    assert hint("z_rd_int_0", check, scrub) == scrub
    assert hint("kworker btrfs-scrub", "btrfs scrub cancel /srv") == "btrfs scrub cancel /srv"
    assert hint("md0_resync") is None
    assert hint("md0_resync", check, "mdadm --action=idle /dev/md1") is None, "which of them?"
    assert hint("ksoftirqd", check, scrub) is None


_NAMES = st.text(st.characters(exclude_characters="/\n\0"), min_size=1, max_size=80)
_NASTY = st.sampled_from(
    ["x; rm -rf /", "$(reboot)", "`id`", "a'b", 'a"b', "-rf", "--help", "a b", "\u202egnp",
     "\x1b[2J",
     "é", "a\tb", "..", ".", "*", "~", "#", "&", "x\\", "\\x2d"]
)  # fmt: skip


@given(
    name=_NAMES | _NASTY,
    form=st.sampled_from(
        ["/system.slice/{}.service", "/system.slice/{}.scope", SESSION + "/app.slice/{}.service",
         "/lxc/{}", "/lxc.payload.{}", "/lxc/112/ns/system.slice/{}.service",
         "/machine.slice/systemd-nspawn@{}.service/system.slice/{}.service",
         "/machine.slice/machine-{}.scope", "/qemu.slice/{}.scope",
         "/machine.slice/systemd-nspawn@{}.service", f"/docker/{ID}", f"/libpod_parent/libpod-{ID}"]
    ),
    category=st.sampled_from(CATEGORIES),
)  # fmt: skip
def test_whatever_a_name_holds_a_hint_is_one_plain_command(
    name: str, form: str, category: str
) -> None:
    place = place_of(form.replace("{}", name))
    if place is None:
        return
    group = WorkGroup("key", place.kind, name)
    account = Account(
        group=group, clues=Clues(), cpu_seconds=1.0, place=place, pid=4711, called=name
    )
    hint = to_stop(account, found(category))
    if hint is None:
        return
    assert hint.isascii()
    assert hint.isprintable()
    words = shlex.split(hint)
    assert not set(hint.replace("'", "")) & set(';&|<>$`"*?~!(){}[]\n')
    assert not words[-1].startswith("-")
    assert len(words) <= 8


@pytest.mark.parametrize("label", ["Desktop environment", "Display server", "Terminal"])
def test_what_a_person_sits_in_front_of_gets_none(label: str) -> None:
    account = Account(
        group=WorkGroup("key", GroupKind.JOB, "bspwm"), clues=Clues(program="bspwm"),
        cpu_seconds=1.0, pid=4711,
    )  # fmt: skip
    assert to_stop(account, Classification("desktop", label, 0.95, "", "")) is None


@pytest.mark.parametrize("facts", [{"ancestors": ("dpkg", "apt-get")}, {"members": ("xz", "dpkg")}])
def test_an_installer_is_not_torn_out_of_its_work(facts: dict[str, Any]) -> None:
    account = Account(
        group=WorkGroup("key", GroupKind.JOB, "up.sh"), clues=Clues(program="xz", **facts),
        cpu_seconds=1.0, pid=4711,
    )  # fmt: skip
    assert to_stop(account, found("development")) is None

"""What a person could type to stop or pause a work group, where that does no harm.

Names of units and containers are chosen by whoever starts them. One with more in it than the
manager of units or the runtime of containers itself allows gets no hint: neither a shell nor a
person must have to look twice. Nor does what others stand on (the way in, the display, the
package manager, what repairs a disk), or what a plain signal would break in the middle.

Sources: man 1 systemctl, man 5 systemd.unit (the characters of a unit's name), the manuals of
docker pause, podman pause, lxc-freeze, machinectl, virsh suspend and qm suspend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from publisher.contract.readings import GroupKind
from publisher.explain.naming.classifier import Classification
from publisher.ledger.accounts import Account
from publisher.ledger.groups import SPAWNERS
from publisher.ledger.naming.cgroup_names import Place, unit_label
from publisher.ledger.naming.programs import shipped

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_UNIT: Final = re.compile(r"[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,250}\.(?:service|scope)")
_HEX: Final = re.compile(r"[0-9a-f]{12,64}")
_USER: Final = re.compile(r"/user@(\d{1,10})\.service/")
_PROXMOX: Final = re.compile(r"/qemu\.slice/\d{3,9}\.scope")

# Others stand on these: whoever stops them may lose the way in, the screen, or data. A star stands
# for any ending; what has none is the whole name.
_VITAL: Final = """
    init systemd* udev* elogind dbus* polkit* accounts-daemon udisks* upower user user-* session-*
    sshd* ssh dropbear getty* agetty serial-getty console-getty login autovt NetworkManager*
    network* wpa_supplicant* iwd connman* dhcpcd* dhclient* wicked* hostapd dnsmasq unbound named
    bind9 pihole* AdGuardHome* kea* firewalld nftables iptables ufw tailscale* zerotier* wg-quick
    wireguard* openvpn* strongswan* ipsec netbird cloudflared mosquitto X Xorg* Xwayland gdm*
    sddm* lightdm* lxdm ly greetd* display-manager x11* gnome-* org.gnome.* mutter* plasma* kwin*
    ksmserver kded* weston sway Hyprland hyprland* niri xfce4-session xfwm4 cinnamon* mate-session
    i3 xdg-* pipewire* wireplumber* pulseaudio* at-spi* gvfs* gcr-* gpg-agent* ssh-agent*
    alacritty* foot* tilix* tmux* screen* guake* yakuake* wezterm* kitty* ptyxis* konsole* docker
    dockerd docker.socket containerd* crio cri-o podman buildkit* conmon* kubelet k3s* k0s* rke2*
    snap.microk8s.* snap.lxd.* etcd* kube-* libvirt* virtqemud virtlogd virtlxcd lxc* lxd* incus*
    pve* qm qemu* kvm xen* vmtoolsd corosync pacemaker* drbd* ceph* gluster* zfs* zed zpool
    mdmonitor mdadm* lvm* dm-* multipathd iscsi* open-iscsi tgt tgtd autofs rpcbind e2fsck fsck*
    xfs_repair resize2fs mkfs* mke2fs btrfs cryptsetup pvmove gdisk sgdisk fdisk sfdisk cfdisk
    parted gparted partclone* dd flashrom fwupd* grub-* dkms mkinitcpio dracut update-initramfs
    mkinitramfs dpkg* apt* rpm* dnf* yum zypper pacman apk unattended-upgrade* packagekit* snapd*
    su sudo doas tini dumb-init pm2* slapd krb5kdc winbindd nix-daemon guix-daemon gamescope*
    kmscon fbterm mate-terminal qterminal ghostty rxvt* byobu xinit startx
    fanwhy* watchdog* wd_keepalive thermald fancontrol* thinkfan* nut* apcupsd
"""
_VITAL_NAMES: Final = frozenset(name for name in _VITAL.split() if not name.endswith("*"))
_VITAL_HEADS: Final = tuple(name[:-1] for name in _VITAL.split() if name.endswith("*"))
_INSTALLERS: Final = (
    "apt", "dpkg", "rpm", "dnf", "yum", "zypper", "pacman", "apk", "unattended-upgr", "packagekit",
    "snapd", "nix-daemon", "guix-daemon", "fwupd", "mkinitramfs", "update-initramfs", "dkms",
)  # fmt: skip
_SESSION: Final = ("shell", "session", "desktop", "terminal", "plasma", "kwin", "keyring")
_NEVER: Final = frozenset({"updates", "remote_access"})  # whatever it is called
_NO_SIGNAL: Final = _NEVER | {"database", "virtualization"}  # a manager stops these in order
# What people sit in front of, by how rules call it: the end of it is the end of all they do.
_SCREENS: Final = re.compile(
    r"desktop|display|window manager|terminal|session|compositor|sign-in|shell", re.IGNORECASE
)
# Kernel threads and the tool that pauses what they do, by how their names begin.
_UPKEEP: Final = {
    "md": "mdadm ",
    "z": "zpool ",
    "txg": "zpool ",
    "dsl": "zpool ",
    "btrfs": "btrfs ",
}


def to_stop(account: Account, found: Classification, pauses: Iterable[str] = ()) -> str | None:
    """A command that stops or pauses a group; ``None`` where none is known to be harmless.

    Args:
        account: of the group, in the window that ends now: numbers of processes are used again.
        found: what kind of work it does.
        pauses: commands that pause what arrays are doing to themselves.
    """
    group, place = account.group, account.place
    if group.own or found.rule == "fanwhy" or found.category in _NEVER:
        return None
    if group.kind is GroupKind.KERNEL:
        return _upkeep(group.label, pauses)
    if place is None:
        return _signal(account, found)
    if place.kind is GroupKind.UNIT:
        return _unit(place)
    return _container(place, account.called)


def unit_of(place: Place) -> str:
    """A unit's full name as its manager writes it: other than for people, with its escapes."""
    return place.anchor.rpartition("/")[2]


def _is_vital(name: str) -> bool:
    plain = name.partition("@")[0]
    return plain in _VITAL_NAMES or plain.startswith(_VITAL_HEADS)


def _is_installing(name: str) -> bool:
    return name.startswith(_INSTALLERS)


def _upkeep(label: str, pauses: Iterable[str]) -> str | None:
    name = label.removeprefix("kworker ")
    tool = next((tool for head, tool in _UPKEEP.items() if name.startswith(head)), None)
    fitting = [] if tool is None else [pause for pause in pauses if pause.startswith(tool)]
    return fitting[0] if len(fitting) == 1 else None


def _signal(account: Account, found: Classification) -> str | None:
    """TERM to the process that began it, and with it to all that it leads."""
    if account.pid is None or account.pid <= 1 or found.category in _NO_SIGNAL:
        return None
    clues = account.clues
    command = clues.command.partition(" ")[0].rpartition("/")[2]
    names = {account.group.label.partition(" ")[0], clues.program, command}
    # A package manager above or below must not be torn out of the middle of its work.
    around = {*names, *clues.ancestors, *clues.members} - SPAWNERS - shipped().shells
    if any(map(_is_vital, names)) or any(map(_is_installing, around)):
        return None
    if found.category == "desktop" and _SCREENS.search(found.label):
        return None
    # A daemon without a manager; all the shells of a machine; what starts everybody's work.
    if account.group.kind is GroupKind.PROGRAM and (
        found.category == "system" or names & (SPAWNERS | shipped().shells)
    ):
        return None
    if account.process_group == account.pid:
        return f"kill -- -{account.pid:d}"
    # What it has started would go on without it.
    numbers = dict.fromkeys((account.pid, *account.pids))
    return f"kill {' '.join(f'{pid:d}' for pid in numbers if pid > 1)}"


def _unit(place: Place) -> str | None:
    quoted = _plain_unit(place)
    user = _USER.search(place.anchor)
    if user is None or quoted is None:
        return f"systemctl stop {quoted}" if quoted else None
    # What a person's session consists of, and the windows in which they type.
    if "/session.slice/" in place.anchor or any(part in quoted.lower() for part in _SESSION):
        return None
    return f"systemctl --user -M {user[1]}@.host stop {quoted}"


def _plain_unit(place: Place) -> str | None:
    """A unit's name as a shell takes it; ``None`` where it is vital, or more than a name."""
    name = unit_of(place)
    stem = name.rpartition(".")[0]
    if not _UNIT.fullmatch(name) or any(map(_is_vital, (stem, unit_label(name)))):
        return None
    return f"'{name}'" if "\\" in name else name


def _container(place: Place, called: str) -> str | None:
    name, user = place.identity, _USER.search(place.anchor)
    if place.inner:
        return _inside(place, name) if user is None and _PLAIN.fullmatch(name) else None
    if place.runtime in ("docker", "podman"):
        if "kubepods" in place.anchor or not _HEX.fullmatch(name):
            return None
        known = called if _PLAIN.fullmatch(called) else name[:12]
        if user is None:
            return f"{place.runtime} pause {known}"
        # In the cgroups of their own session people make what they like, others' containers too:
        # only as themselves do they pause any.
        home = f"XDG_RUNTIME_DIR=/run/user/{user[1]}"
        own = place.runtime == "podman"
        return f"sudo -u '#{user[1]}' {home} podman pause {known}" if own else None
    if user is not None or not _PLAIN.fullmatch(name):
        return None
    match place.runtime:
        case "qemu":
            return _machine(place, called or name)
        case "nspawn":
            return f"machinectl poweroff {name}"
        case "lxc" if name.isdecimal():  # Proxmox, where `pct suspend` writes the memory to disk
            return f"lxc-freeze -n {name}"
    return None


def _machine(place: Place, called: str) -> str | None:
    """To stop a virtual machine; the cgroup leaves out what systemd does not take in a name."""
    if _PROXMOX.match(place.anchor):
        return f"qm suspend {place.identity}"
    return f"virsh suspend {called}" if _PLAIN.fullmatch(called) else None


def _inside(place: Place, name: str) -> str | None:
    """To stop one unit of a container that runs a whole system."""
    quoted = _plain_unit(place) if place.unit else None
    if quoted and place.runtime == "nspawn":
        return f"systemctl -M {name} stop {quoted}"
    if quoted and place.runtime == "lxc" and name.isdecimal():
        return f"pct exec {name} -- systemctl stop {quoted}"
    return None

"""Whether a process goes by a name that is not its own, as hidden miners do.

Its executable is held against the name the kernel keeps and the first word of its command line.
After what has been reported of kinsing (``kdevtmpfsi``, run from /tmp), perfctl (hidden folders,
names of system tools), Outlaw (``rsync``, ``kswapd0`` below ``~/.configrc``), TeamTNT
(``[kthreadd]``, /usr/bin/-bash), prism and others (programs run from memory or deleted).

Much that looks alike is normal and says nothing here: links and programs of many names (busybox,
``vim`` that is vim.basic), interpreters with their script on the command line, titles that daemons
write, programs replaced by an upgrade, loaders and emulators, and whatever cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from publisher.ledger.naming.words import base, clean, program_of, program_of_comm

DELETED: Final = " (deleted)"
"""What the kernel puts behind the path of an executable that is no more."""

_KERNEL_THREAD: Final = re.compile(
    r"kworker|kswapd\d*|kauditd\d*|kthreadd|ksoftirqd|kdevtmpfs|khugepaged\d*|kcompactd\d*|kblockd"
    r"|kintegrityd|kthrotld|khungtaskd|kstrp|ksmd|kcryptd|kpsmoused|rcu_(?:sched|bh|preempt|gp|par_gp)"
    r"|migration/\d+|cpuhp/\d+|idle_inject/\d+|jbd2/\S+|irq/\d+-\S+|xfsaild/\S+|scsi_(?:eh|tmf)_\d+"
    r"|oom_reaper|ipv6_addrconf"
)
_BRACKETS: Final = re.compile(r"\[[\w.:/+-]+\]")
"""As ``ps`` shows what has no command line."""
_KNOWN_NAMES: Final = """
    sshd sshd-session ssh cron crond atd systemd systemd-journald systemd-logind systemd-udevd
    systemd-networkd systemd-resolved systemd-timesyncd systemd-worker dbus-daemon rsyslogd syslogd
    init syslog-ng udevd agetty getty bash sh dash rsync httpd apache2 nginx mysqld postgres
    redis-server php-fpm named dnsmasq chronyd ntpd auditd irqbalance snapd polkitd containerd
    dockerd NetworkManager rpcbind smbd nmbd sendmail exim4 ps ls cat acpid lvmetad multipathd
    iscsid java gdm Xorg pulseaudio wpa_supplicant dhclient avahi-daemon cupsd accounts-daemon
    packagekitd unattended-upgr
"""
_KNOWN: Final = frozenset(_KNOWN_NAMES.split())
"""Compiled programs that people expect to see, and whose names are therefore borrowed."""

_STAND_INS: Final = re.compile(
    r"busybox.*|toybox.*|coreutils|uutils|systemctl|udevadm|systemd(-[\w-]+)?|lvm|dropbearmulti"
    r"|xtables\S*|rustup|snap|exe|qemu-[\w-]+|box(64|86)|FEXInterpreter|rosetta|wine[\w-]*|proot"
    r"|ld-[\w.-]+\.so(\.\d+)?|libc\.so(\.\d+)?|runsc|firejail|bwrap|valgrind\S*|memcheck\S*|vdeswitch"
)
"""Programs of many names, and those that run another program as themselves."""
_SAME_PROGRAMS: Final = """
    mysqld mariadbd
    sh dash bash ash zsh ksh mksh
    httpd apache2
    sendmail exim4 exim postfix sendmail.sendmail msmtp esmtp nullmailer
    cron crond cronie fcron
    syslogd rsyslogd inetutils-syslogd
    udevd eudev udevadm
    getty agetty mgetty
    ps procps
    ssh dbclient dropbear
    sshd dropbear sshd-session sshd-auth
    redis-server valkey-server redis-check-rdb keydb-server
    Xorg Xorg.bin X Xwayland
    bash rbash dash sh
    java javac jspawnhelper
    init systemd runit tini catatonit s6-svscan upstart procd conmon linuxrc pause
    postgres postmaster edb-postgres
"""
_SAME: Final = {
    line.split()[0]: tuple(line.split()) for line in _SAME_PROGRAMS.split("\n") if line.strip()
}
"""Names that one program goes by: links, and those that took over from another."""

_SHELLS: Final = ("bash", "sh", "zsh", "ksh", "dash", "setsid", "nohup")
_SOCKET: Final = re.compile(
    r"/dev/(?:tcp|udp)/\S+/\d+.*(?:0[<>]&1|<&\d)|sh -i\b.*/dev/(?:tcp|udp)/\S+/\d"
)
_SCRIPTED: Final = ("python", "perl", "ruby", "php", "lua")
_OPENS_SHELL: Final = re.compile(
    r"(?:TCPSocket|socket\.(?:socket|tcp)|IO::Socket|use Socket|fsockopen)"
    r".*(?:popen|exec|/bin/(?:ba)?sh|dup2|pty\.spawn|system\()",
    re.DOTALL,
)
_NETCATS: Final = ("nc", "ncat", "netcat", "nc.traditional", "socat")
_HANDS_OUT: Final = re.compile(
    r" (?:-\w*[ec]|--exec|--sh-exec) ?(?:/\S+/)?(?:ba|da|z|k)?sh\b|exec:.*?(?:ba|da|z|k)?sh\b",
    re.IGNORECASE,
)

_MEMORY: Final = re.compile(r"/memfd:(?P<name>[^/]*)")
_RUNTIMES: Final = re.compile(r"runc|crun|youki|lxc|conmon|containerd|snap|bwrap|flatpak|gvisor")
_TEMPORARY: Final = re.compile(r"/(?:tmp|var/tmp|dev/shm|dev|run/shm|run/lock|var/lock)/")
_BUILDS: Final = re.compile(
    r"/(?:\.mount_|go-build|_MEI|pip-|nix-build|portage|cargo-|rustc|cc[\w]{6}|conftest|bazel"
    r"|appimage|snap\.|dracut|mkinitramfs|node-compile|yarn--|uv-|\.tmp\w{6}/|makepkg|pytest-)",
    re.IGNORECASE,
)
_SYSTEM: Final = re.compile(r"/(?:usr|bin|sbin|lib\w*|etc|boot|var/(?:log|spool|mail|run)|run)/")
_STORES: Final = re.compile(r"/(?:nix|gnu)/store/|/snap/|/AppDir/|/\.mount_|/\.build-id/|/proc/")
_TOOLS: Final = re.compile(
    r"/\.(?:venv\w*|virtualenvs|local|cargo|nvm|pyenv|rbenv|asdf|sdkman|npm|pnpm\w*|yarn|bun|deno"
    r"|dotnet|nix-profile|linuxbrew|volta|rustup|heroku|vscode\w*|cursor\w*|steam|wine|tox|nox"
    r"|conda|pixi|gradle|m2|jdks|julia|ghcup|stack|cabal|opam|gvm|jbang|mise|fnm|build|app|output"
    r"|bazel|theia|claude|ollama|cache|config|var|mozilla|android|platformio|espressif|windsurf)"
    r"/|/\.(?:vscode|cursor|windsurf|venv)-"
)


def disguise_of(
    words: Sequence[str], comm: str, link: str, interpreters: AbstractSet[str], *, titled: bool
) -> str:
    """What contradicts the name that a process goes by, in words; empty where nothing does.

    Args:
        words: its command line; ``comm``: the kernel's name of it.
        comm: the kernel's name of it, which is no kernel thread.
        link: its executable, as the kernel tells it; empty where it may not be known.
        interpreters: programs that run scripts, shells among them.
        titled: its command line is the title of one that is known to write such; an interpreter
            is not that one.
    """
    first = words[0] if words else ""
    if _gives_shell(words):
        return "gives a shell to another machine"
    if _is_kernels(comm) or _BRACKETS.fullmatch(first):
        return "calls itself a kernel thread, and is none"
    if not link:
        return ""
    if memory := _MEMORY.match(link):
        harmless = _RUNTIMES.search(memory["name"]) or "runc" in comm
        return "" if harmless else "runs from memory, without a file"
    path = link.removesuffix(DELETED)
    place = _place(path, gone=link.endswith(DELETED))
    name = base(path)
    if name.startswith("-"):
        return f"its file is called {clean(name, 20)}, as if it were a login shell"
    claimed = _borrowed(words, comm)
    if not claimed:
        return place
    if place or _TEMPORARY.match(path):
        folder = clean(path.rpartition("/")[0], 40)
        return f"calls itself {claimed}, {place or f'runs from {folder}'}"
    if titled and program_of(name) not in interpreters:
        return ""  # a build of its own, under a name that we need not know
    return _another(claimed, name, words, interpreters)


def _gives_shell(words: Sequence[str]) -> bool:
    """Whether a command line hands a shell out over the network."""
    program, line = program_of(words[0]) if words else "", " ".join(words[1:])
    if program in _NETCATS:
        return _HANDS_OUT.search(f" {line}") is not None
    if program in _SCRIPTED:
        return _OPENS_SHELL.search(line) is not None
    return program in _SHELLS and _SOCKET.search(line) is not None


def _is_kernels(comm: str) -> bool:
    return bool(_KERNEL_THREAD.fullmatch(comm) or _KERNEL_THREAD.fullmatch(program_of_comm(comm)))


def _borrowed(words: Sequence[str], comm: str) -> str:
    """The well-known name that it goes by, if any."""
    for name in (program_of_comm(comm), program_of(words[0]) if words else ""):
        if name in _KNOWN:
            return name
    return ""


def _another(claimed: str, name: str, words: Sequence[str], interpreters: AbstractSet[str]) -> str:
    """Where the executable is another program than the well-known one that it goes by."""
    program = program_of(name)
    same = (claimed, *_SAME.get(claimed, ()))
    stem = re.split(r"[.\d]|-v?\d", name, maxsplit=1)[0]
    if _STAND_INS.fullmatch(name) or program in same or stem in same:
        return ""
    if claimed in name or name.strip(".") in claimed or name.startswith(same):
        return ""
    if program in interpreters and _shows_script(claimed, words):
        return ""
    return f"calls itself {claimed}, is {clean(program, 24)}"


def _shows_script(claimed: str, words: Sequence[str]) -> bool:
    """Whether the command line names a script of that name: it is what runs."""
    return any(base(word).startswith(claimed) for word in words[1:] if not word.startswith("-"))


def _place(path: str, *, gone: bool) -> str:
    """What is odd about where an executable lies."""
    if _STORES.search(path) or _TOOLS.search(path):
        return ""
    temporary = bool(_TEMPORARY.match(path)) and not _BUILDS.search(path)
    folder, _, name = path.rpartition("/")
    hidden = [part for part in folder.split("/") if part.startswith(".")]
    odd = any(not part.strip(". ") for part in hidden)  # ``...`` and the like
    if (hidden and (temporary or _SYSTEM.match(path))) or odd:
        return f"runs from a hidden folder ({clean(folder, 40)})"
    if name.startswith(".") and not name.endswith(("-wrapped", "-real", "-wrapped_")):
        return f"runs from a hidden file ({clean(path, 40)})"
    if gone and temporary:
        return f"its program, in {clean(folder, 40)}, was deleted"
    return ""

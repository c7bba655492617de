"""Hides what tells one machine or person from another in recorded kernel files.

The same secret gets the same replacement everywhere, in contents, names and links, so that a
recording still fits together.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def _same_shape(secret: str, number: int) -> str:
    """As long as before, letters for letters and digits for digits, ending in a number."""
    digits = list(str(number))
    signs: list[str] = []
    for sign in reversed(secret):
        if sign.isdigit():
            signs.append(digits.pop() if digits else "0")
        else:
            signs.append("X" if sign.isalpha() else sign)
    return "".join(reversed(signs))


def _world_wide_name(name: str, number: int) -> str:
    """The maker's part stays: a 5 and six digits of an IEEE 64-bit registered name."""
    return f"{name[:7]}{number:0{len(name) - 7}x}"


_PATTERNS: tuple[tuple[re.Pattern[str], Callable[[str, int], str]], ...] = (
    (
        re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
        lambda _, number: f"00000000-0000-4000-8000-{number:012x}",
    ),
    (
        re.compile(r"\b(?!00(?::00){5}|ff(?::ff){5})(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b"),
        lambda _, number: f"02:00:00:00:00:{number & 0xFF:02x}",
    ),
    (re.compile(r"(?<=enx|wlx|wwx)[0-9a-f]{12}\b"), lambda _, number: f"02{number:010x}"),
    (
        re.compile(r"(?<![\d.])(?!127\.|0\.|255\.)(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
        lambda _, number: f"192.0.2.{number & 0xFF}",
    ),
    (
        # Six pairs are a MAC address that was masked, or is none of a card.
        re.compile(
            r"(?<![\w:.])(?!(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}(?![\w:]))"
            r"(?:[0-9a-fA-F]{1,4}:){4,7}:?[0-9a-fA-F]{1,4}(?![\w:.])"
        ),
        lambda _, number: f"2001:db8:0:0:0:0:0:{number:x}",
    ),
    (re.compile(r"(?<=naa\.)[0-9a-f]{16}|(?<=0x)5[0-9a-f]{15}\b"), _world_wide_name),
    (  # arrays of md have theirs so
        re.compile(r"\b(?:[0-9a-f]{8}:){3}[0-9a-f]{8}\b"),
        lambda _, number: f"00000000:00000000:00000000:{number:08x}",
    ),
    (re.compile(r"(?<=eui\.)[0-9a-f]{16,32}"), _world_wide_name),
    (  # of volumes and encrypted disks, as LVM and cryptsetup write theirs
        re.compile(
            r"(?<=-LVM-)\w{64}\b|(?<=-uuid-)\w{6}(?:-\w{4}){5}-\w{6}\b|(?<=-LUKS[12]-)[0-9a-f]{32}\b"
        ),
        _same_shape,
    ),
    (re.compile(r"\biqn\.[\d-]{7}\.[^/\s]+?(?=-lun-|[/\s]|$)"), lambda _, number: f"iqn{number}"),
    (
        re.compile(
            r"(?<=/home/)[^/\s\\]+|(?<=/media/)[^/\s\\]+(?=/)|(?<=\busername=)[^,\s]+"
            r"|(?<=,name=)(?!systemd\b|elogind\b)[^,\s]+"  # Ceph's, not that of a cgroup hierarchy
        ),
        lambda _, number: f"user{number}",
    ),
    (re.compile(r"(?<=\bdomain=)[^,\s]+"), lambda _, number: f"domain{number}"),
)
_USERS = next(at for at, (pattern, _) in enumerate(_PATTERNS) if "/home/" in pattern.pattern)
_SECRET_FILE = re.compile(
    r"(serial|vpd_pg8|unique_id|uniq$|_uuid|machine-id|boot_id|/wwid$)", re.IGNORECASE
)
# "SERIAL=…" of uevent files, "Serial : …" of /proc/cpuinfo.
_SECRET_LINE = re.compile(
    r"^\w*(?:SERIAL|UNIQ|UUID)\w*[ \t]*[=:][ \t]*(.+)$", re.MULTILINE | re.IGNORECASE
)
# What udev names disks after: "<bus>-<model>_<serial>", behind which may stand the number of a
# namespace (nvme), the unit (usb) and the partition; and short UUIDs, as FAT and NTFS have.
_NAMED = re.compile(
    r"/dev/disk/by-(?:id/(?!dm-|md-|lvm-|wwn-|nvme-eui\.)[a-z0-9]+-(?:[^/]*_(?=[^/_]{4}))?|uuid/)"
    r"(?P<serial>[^/_]+?)(?:_\d{1,3})?(?:-\d+:\d+)?(?:-part\d+)?$"
)
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{3,}")
_MOUNTS = re.compile(r"/mount(?:s|info)$")
# In mountinfo "… - type source options", in mounts "source point type options".
_SOURCE = (
    re.compile(r"(?<= - )(?P<type>[\w.]+) (?P<source>\S+)"),
    re.compile(r"^(?P<source>\S+) \S+ (?P<type>[\w.]+)(?= )", re.MULTILINE),
)
_REMOTE = re.compile(r"fuse\b|nfs|cifs|smb|ceph|gluster|lustre|9p|afs|beegfs|gpfs|coda|ncpfs|sshfs")
# "server:/export", "//server/share", "user@server:path", "one,other:6789:/"
_SERVER = re.compile(r"(?:^|(?<=[@,#]))[\w.-]*[A-Za-z][\w.-]*(?=:)|(?<=//)[\w.-]+(?=/)")
_USER = re.compile(r"(?:^|(?<=#))[^@:/\s#]+(?=@)")
# Addresses are hexadecimal there.
_SOCKETS = re.compile(r"/net/(?:tcp6?|udp6?|raw6?|route|if_inet6|ipv6_route)$")
_HEXADECIMAL = re.compile(r"\b(?:[0-9A-Fa-f]{32}|[0-9A-F]{8})\b")


# udev's database of devices holds serial numbers and people's labels by the dozen.
_UDEV = re.compile(r"/run/udev/data/b")
_POOL_MEMBER = "E:ID_FS_TYPE=zfs_member"
_WHOLE = re.compile(r".+")


def _pool(text: str) -> str:
    """Of what udev knows of a device, whether it is part of a ZFS pool, and of which."""
    lines = text.splitlines()
    if _POOL_MEMBER not in lines:
        return ""
    labels = [line for line in lines if line.startswith("E:ID_FS_LABEL=")]
    return "".join(f"{line}\n" for line in (_POOL_MEMBER, *labels))


class Masker:
    """Replaces what tells one machine or person from another, the same way everywhere.

    Serial numbers, world-wide names, MAC and IP addresses, UUIDs, the host's name, names of file
    servers, domains and users. Lengths stay, and the maker's part of a world-wide name.

    Args:
        names: the host's names.
    """

    def __init__(self, *names: str) -> None:
        self._words: dict[str, str] = {name: "host" for name in names if len(name) > 2}
        self._shapes: dict[tuple[int, str], str] = {}
        self._made: set[str] = set()

    def learn(self, path: str, content: bytes = b"") -> None:
        """Takes note of the serial numbers in a file and its name, wherever else they appear."""
        text = content.decode("latin-1").strip()
        secrets = [match[1] for match in _SECRET_LINE.finditer(text)]
        if _SECRET_FILE.search(path) and not text.startswith(("naa.", "eui.", "!")):
            # "t10.ATA     <model>     <serial>": the model is no secret.
            secrets += text.split()[-1:] if text.startswith("t10.") else [text]
        if named := _NAMED.search(path):
            secrets.append(named["serial"])
        for secret in secrets:
            for token in _TOKEN.findall(secret):
                if token not in self._words and any(sign in "123456789" for sign in token):
                    self._words[token] = _same_shape(token, len(self._words) + 1)

    def path(self, path: str) -> str:
        if (named := _NAMED.search(path)) and named["serial"] not in self._words:
            start, end = named.span("serial")  # letters alone, or short: no word to look for
            serial = self._replace(-1, _WHOLE, _same_shape, named["serial"])
            path = path[:start] + serial + path[end:]
        return self._text(path)

    def content(self, path: str, content: bytes) -> bytes:
        text = content.decode("latin-1")
        if found := _MOUNTS.search(path):
            text = _SOURCE[found[0] == "/mounts"].sub(self._source, text)
        if _UDEV.search(path):
            text = _pool(text)
        if _SOCKETS.search(path):
            text = _HEXADECIMAL.sub(lambda match: "0" * len(match[0]), text)
        return self._text(text).encode("latin-1")

    def _source(self, mount: re.Match[str]) -> str:
        """Without the server and the user that a remote file system comes from."""
        if not _REMOTE.match(mount["type"]):
            return mount[0]
        user, server = (lambda _, n: f"user{n}"), (lambda _, n: f"server{n}")
        masked = self._replace(_USERS, _USER, user, mount["source"])
        masked = self._replace(-2, _SERVER, server, masked)
        start, end = (at - mount.start() for at in mount.span("source"))
        return mount[0][:start] + masked + mount[0][end:]

    def _text(self, text: str) -> str:
        for number, (pattern, make) in enumerate(_PATTERNS):
            text = self._replace(number, pattern, make, text)
        for word in sorted(self._words, key=len, reverse=True):
            if word in text:
                alone = rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])"
                text = re.sub(alone, self._words[word], text)
        return text

    def _replace(
        self, number: int, pattern: re.Pattern[str], make: Callable[[str, int], str], text: str
    ) -> str:
        def replacement(match: re.Match[str]) -> str:
            secret = match[0]
            if secret in self._made:
                return secret
            known = self._shapes.get((number, secret))
            if known is None:
                count = 1 + sum(kind == number for kind, _ in self._shapes)
                known = self._shapes[number, secret] = make(secret, count)
                self._made.add(known)
            return known

        return pattern.sub(replacement, text)

"""Who may look: a password and tokens, of which a file holds what cannot be turned back.

A line of the file is ``password scrypt N r p salt hash`` or ``token sha256 hash name``; bytes are
in base64. A session is a cookie that says until when it holds, signed with a key made from the
password's line: it outlives a restart, and ends when the password is another.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from publisher.config.companions import WebSettings
from publisher.config.state_folder import save, state_dir
from publisher.contract.printable import printable
from publisher.errors import ConfigError, FanwhyError

CREDENTIAL: Final = "fanwhy-web-password"
SESSION_SECONDS: Final = 30 * 86400
SHORTEST: Final = 8
"""Characters of a password."""

_FILE: Final = "web-password"
_LONGEST_SESSION: Final = 200
# OWASP's password storage cheat sheet: 16 MiB, five times; 0.2 s on a small computer.
_N, _R, _P = 1 << 14, 8, 5
_SCRYPT_BYTES: Final = 64 << 20
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """What lets somebody in.

    Attributes:
        tokens: names by the SHA-256 of each token.
    """

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes
    tokens: Mapping[bytes, str] = field(default_factory=dict)

    def is_password(self, text: str) -> bool:
        """Whether it is the password; takes 16 MiB and about 0.1 s, on purpose."""
        made = _scrypt(text, self.salt, self.n, self.r, self.p)
        return hmac.compare_digest(made, self.digest)

    def is_token(self, text: str) -> bool:
        """Whether it is one of the tokens, which are too long to be guessed."""
        return hashlib.sha256(text.encode("utf-8", "replace")).digest() in self.tokens

    def session(self, now: float) -> str:
        """What a browser shows from now on; ``now`` in seconds since the epoch."""
        told = f"{int(now + SESSION_SECONDS)}.{secrets.token_urlsafe(12)}"
        return f"{told}.{self._signed(told)}"

    def is_session(self, text: str, now: float) -> bool:
        """Whether it was made here, of this password, and still holds."""
        if len(text) > _LONGEST_SESSION or not text.isascii():
            return False
        told, _, signature = text.rpartition(".")
        if not hmac.compare_digest(signature, self._signed(told)):
            return False
        return now < int(told.partition(".")[0])

    def _signed(self, text: str) -> str:
        key = hashlib.sha256(b"fanwhy session" + self.salt + self.digest).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def keys_path(settings: WebSettings) -> Path:
    """The file for writing: that of the settings, else the one in the state folder.

    Raises:
        ConfigError: there is neither.
    """
    if settings.password_file:
        return Path(settings.password_file).expanduser()
    folder = state_dir()
    if folder is None:
        raise ConfigError("there is no folder for the password; name a file with --file")
    return Path(folder, _FILE)


def keys_of(settings: WebSettings, environment: Mapping[str, str] = os.environ) -> Keys | None:
    """What lets people in; ``None`` where no password was set.

    Raises:
        ConfigError: the file is named and missing, cannot be read, or holds something else.
    """
    credentials = environment.get("CREDENTIALS_DIRECTORY")  # man 5 systemd.exec, LoadCredential=
    path = Path(credentials, CREDENTIAL) if credentials else None
    if settings.password_file or path is None or not path.is_file():
        path = keys_path(settings)
    try:
        return _parsed(path.read_text("utf-8"), path)
    except FileNotFoundError:
        if settings.password_file:
            raise ConfigError(f"{path}: is missing; `fanwhy-sub web password` writes it") from None
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error


def set_password(path: Path, text: str) -> None:
    """Has the file hold another password; tokens stay, sessions end.

    Raises:
        ConfigError: it is too short.
        FanwhyError: the file cannot be written.
    """
    if len(text) < SHORTEST:
        raise ConfigError(f"a password has {SHORTEST} characters at least")
    salt = secrets.token_bytes(16)
    parts = ("password scrypt", _N, _R, _P, _word(salt), _word(_scrypt(text, salt, _N, _R, _P)))
    _rewrite(path, lambda lines: [" ".join(map(str, parts)), *_of_kind(lines, "token")])


def add_token(path: Path, name: str) -> str:
    """A new token, of which the file keeps a hash; one of the same name holds no longer.

    Raises:
        ConfigError: there is no password yet.
        FanwhyError: the file cannot be written.
    """
    if not path.is_file():
        raise ConfigError("first a password: fanwhy-sub web password")
    token = secrets.token_urlsafe(32)
    told = "-".join(printable(name).split()) or "script"
    line = f"token sha256 {_word(hashlib.sha256(token.encode()).digest())} {told}"
    _rewrite(path, lambda lines: [*(each for each in lines if each.split()[-1] != told), line])
    return token


def _rewrite(path: Path, change: Callable[[list[str]], list[str]]) -> None:
    try:
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        kept = [line for line in lines if line.strip()]
        save(path, "\n".join(change(kept)) + "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no text"
        raise FanwhyError(f"{path}: cannot be written: {reason}") from error


def _of_kind(lines: list[str], kind: str) -> list[str]:
    return [line for line in lines if line.split()[0] == kind]


def _parsed(text: str, path: Path) -> Keys:
    lines = [line for line in text.splitlines() if line.strip()]
    strange = ConfigError(
        f"{path}: is nothing that fanwhy wrote; remove it, `fanwhy-sub web password` makes another"
    )
    try:
        (password,) = _of_kind(lines, "password")
        _, method, n, r, p, salt, digest = password.split()
        tokens = {
            b64decode(line.split()[2]): " ".join(line.split()[3:])
            for line in _of_kind(lines, "token")
        }
        keys = Keys(int(n), int(r), int(p), b64decode(salt), b64decode(digest), tokens)
    except (ValueError, IndexError):
        raise strange from None
    if method != "scrypt" or len(keys.digest) != _DIGEST_BYTES:
        raise strange
    return keys


def _scrypt(text: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    secret = text.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(
        secret, salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_BYTES, dklen=_DIGEST_BYTES
    )


def _word(content: bytes) -> str:
    return b64encode(content).decode("ascii")

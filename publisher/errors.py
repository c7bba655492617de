"""Everything that fanwhy itself raises: one small tree.

    FanwhyError              one line for people: what happened and what mends it
    ├── ConfigError          the configuration is wrong              exit code 2
    ├── BrokerError          the broker cannot be used               exit code 1
    │   ├── PrefixTakenError another machine lives under our prefix  exit code 1
    │   └── TwinError        this machine has a daemon already       exit code 2
    └── SourceError          the kernel or a driver gave no usable answer
        ├── AbsentError      this machine does not have it
        └── DeniedError      this user may not read it

A command prints ``str(error)`` on one line and exits with ``error.exit_code``; no traceback.
"""

from __future__ import annotations


class FanwhyError(Exception):
    """A failure that a person can understand and mend."""

    exit_code = 1


class ConfigError(FanwhyError):
    """The configuration cannot be used as written."""

    exit_code = 2


class BrokerError(FanwhyError):
    """The broker cannot be reached or does not let us in."""


class PrefixTakenError(BrokerError):
    """Another machine publishes under the same topic prefix."""


class TwinError(BrokerError):
    """Another daemon watches this machine: to be started again would not help."""

    exit_code = 2


class SourceError(FanwhyError):
    """A source gave something unusable.

    Args:
        what: what was expected and what came instead, or why there was no answer.
        path: the file, device or library concerned.
        remedy: what the machine's owner can do about it; empty when nothing can be done.
    """

    def __init__(self, what: str, *, path: str = "", remedy: str = "") -> None:
        super().__init__(f"{path}: {what}" if path else what)
        self.what = what
        self.path = path
        self.remedy = remedy


class AbsentError(SourceError):
    """This machine does not have what was asked for: a fact, not a failure."""


class DeniedError(SourceError):
    """The kernel has the answer but does not give it to this user."""


MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What taking a document of unknown origin apart may raise: it is not what was expected."""

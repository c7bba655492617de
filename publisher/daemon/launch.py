"""What the daemon needs from the command that starts it, and how that reaches it.

``publisher.config`` fills the settings from flags, environment and file; the daemon gets them ready
made, so that it need not load what parsing and checking take.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass

from publisher.config.state_folder import nameless
from publisher.contract.readings import InfoReading
from publisher.daemon.settings import Settings
from publisher.errors import FanwhyError
from publisher.explain.naming.rules import RuleBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """All that the daemon needs from the command that starts it.

    Attributes:
        catalogue: the payload of the catalogue topic, ready to publish.
        identity: who this machine is: what ``host/info`` says that never changes.
        reload: the command whose standard output is a newer ``Launch``, for SIGHUP; it exits
            with another code than 0, and a line on standard error, when the file is wrong.
        config_path: the file that was read, empty when there was none.
        rules: by which work is named. Read there, they take a quarter of a megabyte here;
            reading them here would leave two. ``None``: they are read when they are needed.
    """

    settings: Settings
    catalogue: bytes
    identity: InfoReading
    reload: tuple[str, ...] = ()
    config_path: str = ""
    rules: RuleBook | None = None

    def dump(self) -> bytes:
        """For another process of the same fanwhy."""
        return pickle.dumps(self)

    @classmethod
    def parse(cls, content: bytes) -> Launch:
        """The inverse of ``dump``.

        Raises:
            FanwhyError: it holds something else.
        """
        try:
            launch = pickle.loads(content)  # noqa: S301  # made by our own parent or child
        except Exception as error:
            raise FanwhyError(f"not started by fanwhy-pub run: {error}") from error
        if not isinstance(launch, cls):
            raise FanwhyError("not started by fanwhy-pub run")
        return launch

    def hand_over(self) -> int:
        """A descriptor that a program started by ``exec`` may read this from."""
        content = self.dump()
        descriptor = nameless("fanwhy-launch")  # a pipe would hold no more than 16 to 64 KiB
        os.set_inheritable(descriptor, True)
        with open(descriptor, "wb", closefd=False) as file:  # a descriptor
            file.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    @classmethod
    def take_over(cls, descriptor: int) -> Launch:
        """What ``hand_over`` left in an inherited descriptor, which is closed.

        Raises:
            FanwhyError: there is none.
        """
        try:
            with open(descriptor, "rb") as file:  # a descriptor
                content = file.read()
        except OSError as error:
            raise FanwhyError(f"not started by fanwhy-pub run: {error.strerror}") from error
        return cls.parse(content)

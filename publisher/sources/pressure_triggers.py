"""The kernel's own alarm for stalls: PSI triggers, which wake whoever polls them."""

from __future__ import annotations

import logging
import os

from publisher.errors import SourceError
from publisher.sources.files import KernelFiles

log = logging.getLogger(__name__)


def _of_this_kernel(files: KernelFiles) -> bool:
    """Whether the files are of the kernel that we run on, as in a container those of its host."""
    path = "/proc/sys/kernel/random/boot_id"
    try:
        return files.read(path, keep=False) == KernelFiles().read(path, keep=False)
    except SourceError:
        return False


class PressureTriggers:
    """Asks the kernel to wake us when tasks stall on memory or I/O (PSI triggers).

    Source: kernel documentation, accounting/psi, "Monitoring for pressure thresholds". Without
    CAP_SYS_RESOURCE windows must be whole multiples of 2 s, from Linux 6.5 on; before that the
    kernel refuses and the pulse alone has to do.
    """

    _TRIGGER = b"some 200000 2000000\0"

    def __init__(self, files: KernelFiles) -> None:
        self.descriptors: list[int] = []
        if not _of_this_kernel(files):
            return  # a fixture has no triggers
        # Ours, not those below the root, which a container has read-only: the kernel counts the
        # stalls of the whole machine in either.
        for resource in ("memory", "io"):
            try:
                descriptor = os.open(f"/proc/pressure/{resource}", os.O_RDWR | os.O_NONBLOCK)
            except OSError:
                continue
            try:
                os.write(descriptor, self._TRIGGER)
            except OSError as error:
                log.debug("no pressure trigger on %s: %s", resource, error)
                os.close(descriptor)
            else:
                self.descriptors.append(descriptor)

    def close(self) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()

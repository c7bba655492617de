"""Energy that the processor counts: RAPL, as Intel and AMD have it, through powercap.

Source: kernel documentation, power/powercap. ``energy_uj`` counts microjoules and starts again
at 0 beyond ``max_energy_range_uj``, after 65 kJ on the processors that wrap soonest: some ten
minutes at 100 W. Since 2020 only root may read it (CVE-2020-8694: its fine grain gave secrets
away).
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field

from publisher.errors import AbsentError, DeniedError, SourceError
from publisher.sources.files import KernelFiles

CLASS = "/sys/class/powercap"

_ZONE = re.compile(r"intel-rapl(?:-mmio)?:\d+(?::\d+)?")
_REMEDY = (
    'let the group "fanwhy" read it: in /etc/udev/rules.d/70-fanwhy.rules write '
    'SUBSYSTEM=="powercap", TEST=="energy_uj", RUN+="/bin/chgrp fanwhy /sys%p/energy_uj", '
    'RUN+="/bin/chmod 0440 /sys%p/energy_uj" and run '
    '"udevadm trigger --subsystem-match=powercap"'
)


@dataclass(frozen=True, slots=True)
class Domain:
    """One part of the processor whose energy is counted.

    Attributes:
        identity: ``package-0``, ``package-0/core``, ``package-0/dram``, ``psys``.
        range_microjoules: where the counter starts again; ``None`` when the kernel does not tell.
    """

    identity: str
    path: str
    range_microjoules: int | None
    files: KernelFiles = field(repr=False, compare=False)

    def energy(self) -> int:
        """Microjoules since the counter's last 0.

        Raises:
            AbsentError: the driver is there and the counter is not, as in some virtual machines
                (https://github.com/prometheus/node_exporter/issues/2269).
            DeniedError: only root may read it here.
            SourceError: it cannot be read.
        """
        path = f"{self.path}/energy_uj"
        try:
            return self.files.integer(path)
        except DeniedError as error:
            raise DeniedError("only root may read it", path=path, remedy=_REMEDY) from error
        except SourceError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EINVAL:
                raise AbsentError("this processor does not count it", path=path) from error
            raise


def find(files: KernelFiles) -> list[Domain]:
    """The domains there are, sorted by identity.

    Raises:
        AbsentError: the processor or the kernel has none.
    """
    entries = [name for name in files.names(CLASS) if _ZONE.fullmatch(name)]
    names: dict[str, str] = {}
    for entry in entries:
        try:
            names[entry] = files.text(f"{CLASS}/{entry}/name", keep=False)
        except SourceError:
            continue
    found: dict[str, Domain] = {}
    # The same counters may show a second time, through memory instead of registers.
    for entry in sorted(names, key=lambda name: ("mmio" in name, name)):
        parent = names.get(entry.rpartition(":")[0], "")
        identity = f"{parent}/{names[entry]}" if parent else names[entry]
        path = f"{CLASS}/{entry}"
        if identity not in found and files.exists(f"{path}/energy_uj"):
            found[identity] = Domain(identity, path, _range(files, path), files)
    if not found and files.foreign:
        raise AbsentError(f"on {files.foreign} psutil does not tell the processor's energy")
    if not found:
        raise AbsentError(
            "the processor's energy is not counted here",
            path=CLASS,
            remedy="modprobe intel_rapl_msr (Intel since 2011, AMD since Zen); "
            "virtual machines have no counter",
        )
    return [found[identity] for identity in sorted(found)]


def _range(files: KernelFiles, path: str) -> int | None:
    try:
        return files.integer(f"{path}/max_energy_range_uj", keep=False)
    except SourceError:
        return None

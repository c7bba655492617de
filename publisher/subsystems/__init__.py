"""The subsystems: a file or folder each, registered here and nowhere else."""

from __future__ import annotations

from publisher.subsystems.base import Subsystem
from publisher.subsystems.cpu import Cpu
from publisher.subsystems.disk.disk import Disk
from publisher.subsystems.gpu import Gpu
from publisher.subsystems.memory import Memory
from publisher.subsystems.network import Network
from publisher.subsystems.power.power import Power
from publisher.subsystems.thermal.thermal import Thermal

SUBSYSTEMS: tuple[type[Subsystem], ...] = (Cpu, Memory, Disk, Network, Gpu, Thermal, Power)
"""Every subsystem, in the order in which people read them."""

"""The senses: one file each, registered here and nowhere else."""

from __future__ import annotations

from publisher.subsystems.base import Subsystem
from publisher.subsystems.cpu import Cpu
from publisher.subsystems.gpu import Gpu
from publisher.subsystems.memory import Memory

SUBSYSTEMS: tuple[type[Subsystem], ...] = (Cpu, Memory, Gpu)
"""Every subsystem, in the order in which people read them."""

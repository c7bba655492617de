"""NVIDIA's library by script, loaded here or in a process of its own."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.sources.gpu.scripted import Elsewhere, Machine, build, machine_in


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in, loaded: the loader then gives it to whoever asks for the real one's name."""
    path = build(tmp_path_factory.mktemp("nvml"))
    ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    return path


@pytest.fixture
def machine(library: Path, tmp_path: Path) -> Iterator[Machine]:  # loads it
    made = machine_in(tmp_path)
    names = {
        "NVML_STAND_IN_SCRIPT": str(made.script),
        "NVML_STAND_IN_CALLS": str(made.calls),
        "NVML_STAND_IN_OPENS": f"{made.root}/sys/module/nvidia/refcnt",
    }
    os.environ.update(names)
    yield made
    for gpu in made.gpus:
        gpu.close()
    for name in names:
        del os.environ[name]


@pytest.fixture
def elsewhere() -> Elsewhere:
    """Runs Python in a process of its own, whose loader looks for the library in a folder."""

    def run(machine: Machine, folder: Path, *lines: str) -> str:
        before = (
            "import json, sys",
            "from publisher.errors import SourceError",
            "from publisher.sources import Sources",
            "from publisher.sources.files import KernelFiles",
            "from publisher.subsystems.gpu import Gpu",
            "from publisher.contract.payload import to_json",
            "seconds = 0.0",
            "clocks = dict(monotonic=lambda: 1e3 + seconds, wall=lambda: 1.75e9 + seconds)",
            "sources = Sources(files=KernelFiles(sys.argv[1]), **clocks)",
            "gpu = Gpu(sources)",
        )
        finished = subprocess.run(
            [sys.executable, "-c", "\n".join([*before, *lines]), machine.root],
            env={
                **os.environ,
                "LD_LIBRARY_PATH": str(folder),
                "PYTHONPATH": str(Path(__file__).parents[4]),
                "NVML_STAND_IN_SCRIPT": str(machine.script),
                "NVML_STAND_IN_CALLS": str(machine.calls),
            },
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return finished.stdout

    return run


@pytest.fixture
def bare_machine(tmp_path: Path) -> Machine:
    """A machine for processes of their own."""
    return machine_in(tmp_path)

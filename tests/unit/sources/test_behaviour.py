"""How processes behave: libraries, ports and GPUs, of real ones and of those made of files."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from publisher.sources.behaviour import Behaviour, behaviour_of

MAPS = """
import mmap, sys
kept = []
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        kept.append(mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ))
print("ready", flush=True)
sys.stdin.read()
"""
SERVES = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
far = listener.getsockname()[1]
for port in range(18000, 19000):
    try:
        near = socket.create_server(("127.0.0.1", port))
        break
    except OSError:
        pass
client = socket.create_connection(("127.0.0.1", far))
print(near.getsockname()[1], flush=True)
sys.stdin.read()
"""

Started = Callable[..., tuple[int, str]]


@pytest.fixture
def start() -> Iterator[Started]:
    """Starts a program of Python; its number, and the line that it prints when it is ready."""
    running: list[subprocess.Popen[str]] = []

    def run(program: str, *words: object) -> tuple[int, str]:
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout
        return process.pid, process.stdout.readline().strip()

    yield run
    for process in running:
        process.communicate()


def test_the_libraries_of_a_real_process(tmp_path: Path, start: Started) -> None:
    names = ("torch/lib/libtorch_cpu.so", "sklearn/tree/_tree.cpython-311.so", "libc-2.so")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 4096)
    pid, _ = start(MAPS, *(tmp_path / name for name in names))
    assert behaviour_of("/proc", pid) == Behaviour(frozenset({"torch", "sklearn"}))


def test_the_port_that_a_real_process_serves(start: Started) -> None:
    """And none of those that are nobody's in particular, nor that it is connected with."""
    pid, port = start(SERVES)
    assert behaviour_of("/proc", pid) == Behaviour(serves=frozenset({int(port)}))
    quiet, _ = start(MAPS)
    assert behaviour_of("/proc", quiet) == Behaviour(), "others' listeners are not its own"


@pytest.mark.parametrize(
    ("path", "families"),
    [
        ("/usr/lib/x86_64-linux-gnu/libavcodec.so.59.37.100", {"libav"}),
        ("/opt/venv/lib/python3.11/site-packages/torch/lib/libc10_cuda.so", {"torch"}),
        ("/usr/lib/libcublasLt.so.12", {"cuda"}),
        ("/usr/lib/x86_64-linux-gnu/libcuda.so.550.54", {"cuda"}),
        ("/x/onnxruntime/capi/onnxruntime_pybind11_state.cpython-311.so", {"onnx"}),
        ("/x/a b/libggml-cpu.so (deleted)", {"ggml"}),
        ("/usr/lib/libx264.so.164", {"x264"}),
        ("/usr/lib/libavahi-client.so.3", set()),
        ("/usr/lib/libx2640.so", set()),
        ("/home/me/libtorch_notes.txt", set()),
        ("/home/libtorch/libz.so", set()),
    ],
)
def test_libraries_by_their_names(tmp_path: Path, path: str, families: set[str]) -> None:
    folder = tmp_path / "7"
    (folder / "fd").mkdir(parents=True)
    line = f"7f0000000000-7f0000001000 r-xp 00000000 fe:00 123456    {path}\n"
    (folder / "maps").write_text(f"5500-5600 rw-p 00000000 00:00 0   [heap]\n{line}{line}")
    assert behaviour_of(str(tmp_path), 7) == Behaviour(frozenset(families))


@pytest.mark.parametrize(
    ("device", "computes"),
    [("/dev/nvidia-uvm", True), ("/dev/kfd", True), ("/dev/dri/renderD128", False)],
)
def test_a_gpu_that_computes_is_told_from_one_that_draws(
    tmp_path: Path, device: str, computes: bool
) -> None:
    folder = tmp_path / "7/fd"
    folder.mkdir(parents=True)
    (folder / "3").symlink_to(device)
    assert behaviour_of(str(tmp_path), 7).computes is computes


def test_what_may_not_be_known_is_nothing(tmp_path: Path) -> None:
    assert behaviour_of(str(tmp_path), 7) == Behaviour()
    assert behaviour_of("/proc", 2) == Behaviour(), "a kernel thread has none of it"
    ended = threading.get_native_id() + (1 << 22)
    assert behaviour_of("/proc", ended) == Behaviour()

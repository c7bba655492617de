"""How a process behaves: libraries that it has mapped, ports that it serves, a GPU in use.

Sources: ``/proc/<pid>/maps``, ``/proc/<pid>/fd``, ``/proc/<pid>/net/tcp`` and ``tcp6`` (man 5
proc_pid_maps, proc_pid_fd, proc_pid_net). Of other users' processes that takes CAP_SYS_PTRACE;
what may not be read is left out. A few milliseconds at most, so it is asked of few and seldom.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import Final, NamedTuple

from publisher.errors import SourceError
from publisher.sources.endpoints import listening

_MAPS: Final = 256 << 10  # bytes: some 2,000 lines
_DESCRIPTORS: Final = 256
_EPHEMERAL: Final = 32768  # ports from here on are nobody's in particular

_FAMILIES: Final = {
    rb"libtorch|libc10": "torch",
    rb"libtensorflow|_pywrap_tensorflow": "tensorflow",
    rb"libonnxruntime|onnxruntime_": "onnx",
    rb"libnvinfer": "tensorrt",
    rb"libggml|libllama": "ggml",
    rb"libxgboost": "xgboost",
    rb"lib_lightgbm": "lightgbm",
    rb"libctranslate2": "ctranslate2",
    rb"libopenvino": "openvino",
    rb"libavcodec|libavfilter|libavformat": "libav",
    rb"libgstreamer-": "gstreamer",
    rb"libx264\.": "x264",
    rb"libx265\.": "x265",
    rb"libopencv_|cv2\.": "opencv",
    rb"libcudart|libcublas|libcudnn|libcuda\.": "cuda",
    rb"libamdhip64|librocblas|libhsa-runtime64": "rocm",
}
"""How the names of a family's libraries begin."""
_PACKAGES: Final = {b"/sklearn/": "sklearn", b"/jaxlib/": "jax"}
"""Python packages whose libraries have names that say nothing."""

_NAMES: Final = tuple(_FAMILIES.values())
_LIBRARY: Final = re.compile(b"|".join(b"(" + each + b")" for each in _FAMILIES))
# A desktop draws by ``renderD*`` and ``nvidia0``; these two are opened to compute.
_COMPUTE: Final = ("/dev/nvidia-uvm", "/dev/kfd")


class Behaviour(NamedTuple):
    """What can be seen of a process from outside.

    Attributes:
        libraries: families of telling libraries that it has mapped, such as ``torch``.
        serves: TCP ports that it listens on, but for those that are nobody's in particular.
        computes: it holds a device open that GPUs compute by.
    """

    libraries: frozenset[str] = frozenset()
    serves: frozenset[int] = frozenset()
    computes: bool = False


def behaviour_of(proc: str, pid: int) -> Behaviour:
    """How a process behaves, as far as this user may know; ``proc`` is where processes are."""
    sockets, computes = _descriptors(f"{proc}/{pid}/fd")
    return Behaviour(_libraries(f"{proc}/{pid}/maps"), _ports(proc, pid, sockets), computes)


def _libraries(maps: str) -> frozenset[str]:
    content = b""
    with suppress(OSError), open(maps, "rb") as file:  # noqa: PTH123  # hot
        content = file.read(_MAPS)
    # A library is mapped in several pieces.
    paths = {line[line.find(b"/") :] for line in content.splitlines() if b".so" in line}
    found = set()
    for path in paths:
        match = _LIBRARY.match(path.rpartition(b"/")[2])
        if match is not None and match.lastindex is not None:
            found.add(_NAMES[match.lastindex - 1])
        found.update(name for folder, name in _PACKAGES.items() if folder in path)
    return frozenset(found)


def _descriptors(path: str) -> tuple[set[int], bool]:
    """Inodes of its sockets, and whether it computes on a GPU."""
    sockets: set[int] = set()
    computes = False
    with suppress(OSError):
        for name in os.listdir(path)[:_DESCRIPTORS]:
            with suppress(OSError):
                target = os.readlink(f"{path}/{name}")  # noqa: PTH115  # hot
                if target.startswith("socket:["):
                    sockets.add(int(target[8:-1]))
                computes = computes or target in _COMPUTE
    return sockets, computes


def _ports(proc: str, pid: int, sockets: set[int]) -> frozenset[int]:
    if not sockets:
        return frozenset()
    try:
        found = listening(proc, pid)
    except SourceError:
        return frozenset()
    return frozenset(
        end.here[1] for end in found if end.inode in sockets and end.here[1] < _EPHEMERAL
    )

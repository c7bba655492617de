"""What a program does, where its name says nothing: libraries in it, ports it serves, a GPU in use.

Behaviour is a hint and no proof: it never overrules a name that a rule knows, and what it says is a
guess with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from publisher.explain.naming.classification import GUESS, UNKNOWN, Classification

_LIBRARIES: Final = (
    ("ai", frozenset({"torch", "tensorflow", "onnx", "sklearn", "jax", "ggml", "tensorrt"})),
    ("ai", frozenset({"xgboost", "lightgbm", "ctranslate2", "openvino"})),
    ("media", frozenset({"libav", "gstreamer", "x264", "x265"})),
    ("media", frozenset({"opencv"})),
    ("ai", frozenset({"cuda", "rocm"})),
)
"""Families of libraries by what they are for, the more telling first."""

_PORTS: Final = {
    1433: "database",
    3306: "database",
    5432: "database",
    6379: "database",
    27017: "database",
    1883: "smart_home",
    8123: "smart_home",
    8883: "smart_home",
    8096: "media",
    32400: "media",
    22: "remote_access",
    3389: "remote_access",
    5900: "remote_access",
    51820: "remote_access",
    139: "file_sharing",
    445: "file_sharing",
    2049: "file_sharing",
    21: "file_sharing",
    25565: "gaming",
    27015: "gaming",
    6881: "downloads",
    51413: "downloads",
    9100: "monitoring",
}
"""Ports that are one kind of server's by custom: IANA's registry, their own defaults."""
_SURE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Traits:
    """How a program behaves.

    Attributes:
        libraries: families of libraries that it has loaded: ``torch``, ``cuda``, ``sklearn``,
            ``libav``, ``opencv``, ``tensorflow``, ``onnx``, ``gdal``, ``openblas``, …
        serves: ports that it listens on.
        reads_tree: it reads a whole tree of files once.
        gpu: it computes on a GPU.
    """

    libraries: frozenset[str] = frozenset()
    serves: tuple[int, ...] = ()
    reads_tree: bool = False
    gpu: bool = False


def with_traits(found: Classification, traits: Traits) -> Classification:
    """What was found, or what its behaviour says where that was nothing.

    The label stays: it is the program's or the script's own name.
    """
    idle = found.category == "shell" and found.role in ("interpreter", "host")
    if found.confidence > GUESS or not (found.category == "unknown" or idle):
        return found
    category, why = _kind(traits)
    if not category:
        return found
    confidence = max(found.confidence, _SURE if found.confidence <= UNKNOWN else GUESS)
    reason = f"{found.reason}; {why}"
    return replace(found, category=category, confidence=confidence, reason=reason, by="traits")


def _kind(traits: Traits) -> tuple[str, str]:
    for category, families in _LIBRARIES:
        if loaded := sorted(families & traits.libraries):
            return category, f"it has loaded {loaded[0]}"
    if traits.gpu:
        return "ai", "it computes on a GPU"
    for port in traits.serves:
        if port in _PORTS:
            return _PORTS[port], f"it serves port {port}"
    if traits.serves:
        return "web", f"it serves port {min(traits.serves)}"
    if traits.reads_tree:
        return "indexing", "it reads a whole tree of files"
    return "", ""

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
    ("media", frozenset({"libav", "gstreamer", "x264", "x265"})),
    ("media", frozenset({"opencv"})),
    ("ai", frozenset({"cuda", "rocm"})),
)
"""Families of libraries by what they are for, the more telling first."""

_WEB_PORTS: Final = frozenset({80, 443, 3000, 5000, 8000, 8080, 8081, 8443, 8888, 9000})
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
    if found.category != "unknown" or found.confidence > GUESS:
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
    if ports := sorted(_WEB_PORTS.intersection(traits.serves)):
        return "web", f"it serves port {ports[0]}"
    if traits.serves:
        return "web", f"it serves port {min(traits.serves)}"
    if traits.reads_tree:
        return "indexing", "it reads a whole tree of files"
    return "", ""

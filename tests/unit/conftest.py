"""What holds for every test that needs no server."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How long an example takes is for the benchmarks: a busy machine may stop for a second.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

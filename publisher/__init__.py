"""fanwhy: why is this machine's fan running, who did it, and is it over."""

__version__ = "0.1.0"

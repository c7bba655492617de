"""fanwhy: why is this machine's fan running, who did it, and is it over."""

__version__ = "0.1.0"


def version_line(program: str) -> str:
    """What ``--version`` of any program of fanwhy prints."""
    return f"{program} {__version__}"

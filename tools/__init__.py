"""Programs for those who work on fanwhy; no part of what is installed."""

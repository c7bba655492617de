"""fanwhy as a service: the units that we ship, how they are installed, what they report."""

"""What arrives, decided upon once: JSON of unknown origin in, typed and harmless values out."""

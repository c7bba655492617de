"""When a message goes out, and what waits while nobody can be told."""

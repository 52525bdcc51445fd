"""The wire formats: bytes to requests and back; no socket, clock, thread or logger."""

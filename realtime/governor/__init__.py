"""Keeps a session to the latency and frame rate that it asks for."""

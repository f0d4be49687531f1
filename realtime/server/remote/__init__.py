"""Engines on other machines: actors of a Ray cluster that hold decoding, scheduler, engine and encoding."""

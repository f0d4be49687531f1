"""Scheduling of frames onto the engine: admission, fairness, costs, timing."""

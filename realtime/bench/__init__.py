"""Measure this machine: `realtime bench`. The last line printed is one JSON object.

The server is started as its own process and spoken to over real sockets; the engine alone is run in this one. Must not
know what else there is to compare it with: that lies in `benchmarks/` of the repository.
"""

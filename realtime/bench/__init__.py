"""`realtime bench`: measures the server and the engine on this machine. The last line printed is one JSON object.

Servers run as processes of their own and are reached over sockets; the engine alone runs in this process. Must not know
what it is compared with: that is in `benchmarks/` of the repository.
"""

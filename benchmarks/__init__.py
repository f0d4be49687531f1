"""realtime beside what others ship: run in a checkout, by `python -m benchmarks`; no part of the package.

What measures one machine alone ships: `realtime bench`, whose parts these are built on.
"""

"""The same test bodies on a GPU and on its twin, the CPU; a GPU's are marked `gpu`, and skipped where there is none.

Needs pytest alone, no plugin: `python -m benchmarks.gpu` runs them first, on machines that have little else.
"""

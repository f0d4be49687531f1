"""What is measured on a GPU, in one call: `python -m benchmarks.gpu`.

Nothing but the standard library is imported before the parts run: they may need wheels that are installed first.
"""

"""Tables and plots out of the JSON objects in `benchmarks/results`. Must not measure."""

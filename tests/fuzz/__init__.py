"""Random and mutated inputs for everything that parses what strangers send: nothing but the right error may come of it.

2,000 inputs a target in the tests, 100,000 and figures by hand:
`REALTIME_FUZZ_INPUTS=100000 pytest -s --timeout 0 tests/fuzz`.
"""

"""The rungs: ways to run a model faster than in eager mode, and the upgrade to them while frames flow."""

"""Other ways to calculate what a model's regions do, on the same weights: each wins on some devices (see `trials`)."""

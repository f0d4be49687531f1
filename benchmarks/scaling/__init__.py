"""Past the machines at hand: how many sessions so many GPUs carry, by simulation. Must not measure."""

"""The engine alone beside diffusers and StreamDiffusion: random models of real shapes, rungs, steps, batches."""

"""From a model's name to networks ready to run."""

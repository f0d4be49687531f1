"""OpenVINO: a model's networks on CPUs."""

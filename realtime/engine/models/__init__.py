"""Finding and loading models: from a name to networks on the device."""

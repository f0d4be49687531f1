"""Pictures that leave as they come: to an address, a file or a virtual camera, at a constant rate and never late."""

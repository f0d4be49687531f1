"""Sockets, routes and pages around the sessions. Web frameworks are imported here and nowhere else."""

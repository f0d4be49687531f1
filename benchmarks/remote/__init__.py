"""A server whose engines are in other processes, found by Ray."""

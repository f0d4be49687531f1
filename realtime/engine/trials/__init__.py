"""The engine tried by itself: random models of real shapes, and others to run beside it.

Ships with `realtime bench`; a server never imports it. Must not know sockets or sessions.
"""

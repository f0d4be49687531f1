"""The server here beside what others ship, a bare loop and its own slower rungs; and how soon it is there."""

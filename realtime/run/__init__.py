"""`realtime run`: a recording, every frame of it restyled, to a file with its sound."""

"""Pictures: codecs, thumbnails, and the stages before and behind the engine."""

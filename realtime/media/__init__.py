"""Pictures: codecs, thumbnails, and the work on them before and behind the engine."""

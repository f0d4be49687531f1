"""What hints for nets cost beside what each frame costs anyway."""

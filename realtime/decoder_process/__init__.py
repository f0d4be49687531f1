"""Decoders of what strangers send, in processes of their own: one that dies costs a picture, and no session."""

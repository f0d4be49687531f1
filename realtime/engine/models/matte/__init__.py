"""The matte: where the person is in a picture."""

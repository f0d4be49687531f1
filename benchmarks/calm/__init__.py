"""How calm pictures are: flicker along a motion that is known, beside sharpness, so that blur can't win."""

"""Open Sound Control: sessions played by fader boxes, lighting desks and other programs, over UDP."""

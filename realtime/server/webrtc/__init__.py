"""WebRTC: `/rtc` (video both ways and a control channel), `/whip` (video in), `/whep` (video out)."""

"""WebRTC here beside aiortc as it ships: delays, overload, encoders, viewers, processor time."""

"""IP-Adapters: what a UNet's cross-attention is told of pictures."""

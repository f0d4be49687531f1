"""The painter: networks of this project's own, small enough to be live on two ordinary CPU cores."""

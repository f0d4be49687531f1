"""The page in a real browser: how few actions it takes, how it lasts, what it costs."""

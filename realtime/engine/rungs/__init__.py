"""The ways to be faster than eager mode, and how they are reached while frames flow."""

"""Servers that are mistreated (`chaos`) and servers that run for long (`soak`), with live clients, and what is left."""

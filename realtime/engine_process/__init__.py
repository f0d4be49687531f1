"""An engine in a process of its own, behind the protocol of any other: it may die, and the server does not."""

"""UNets as the step region calls them, each with the conditions that it wants."""

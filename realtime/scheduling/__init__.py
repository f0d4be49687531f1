"""Who is served when: admission, fairness, costs, timing."""

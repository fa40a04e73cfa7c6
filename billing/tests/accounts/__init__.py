"""What the tests' accounts at all providers are made of: one core with two doors, faults that
happen on a call's way, and a journal of what changed. Each provider's own account builds on it."""

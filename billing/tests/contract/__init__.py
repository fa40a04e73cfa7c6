"""All that a test run asks providers, held to their published contracts: a plugin of pytest."""

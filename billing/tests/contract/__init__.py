"""All that a test run asks Stripe, held to Stripe's published contract: a plugin of pytest."""

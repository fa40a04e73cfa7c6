"""Use cases. The module is the namespace: `subscriptions.cancel(...)`."""

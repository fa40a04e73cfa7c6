"""Polar: what it sends and answers, in our types. Not registered: the provider is not whole yet."""

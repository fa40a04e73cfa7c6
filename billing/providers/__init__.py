"""Translators between our vocabulary and each provider's API. They import no Django."""

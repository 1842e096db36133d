"""The HTTP client, TLS, credentials."""

"""Other people's bytes: indexes over HTTP."""

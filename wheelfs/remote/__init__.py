"""Other people's bytes: the only package that talks HTTP.  What the service sees of it is `wheelfs.remote.origin.Origin`."""

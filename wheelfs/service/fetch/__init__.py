"""Fetching one file: the download, its partial file, and the sources that bytes come from."""

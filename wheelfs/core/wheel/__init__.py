"""The wheel as a ZIP: layout, cutting, metadata, identity."""

"""The catalog environment: names, pages, facts, records and the journal of changes."""

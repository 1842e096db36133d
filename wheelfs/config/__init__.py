"""The configuration: which options there are, where their values come from, and what to say when one is wrong."""

from wheelfs.config.indexes import INDEX_KEYS, IndexSetting, told_of
from wheelfs.config.loading import Given, environment_of, load
from wheelfs.config.redaction import redact
from wheelfs.config.settings import OPTIONS, Option, Settings

__all__ = ["INDEX_KEYS", "OPTIONS", "Given", "IndexSetting", "Option", "Settings", "environment_of", "load", "redact", "told_of"]

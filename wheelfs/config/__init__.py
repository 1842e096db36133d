"""The configuration: which options there are, where their values come from, and what to say when one is wrong."""

from wheelfs.config.indexes import INDEX_KEYS, IndexSetting, described
from wheelfs.config.loading import Given, environment_of, load
from wheelfs.config.option import Option
from wheelfs.config.options import OPTIONS
from wheelfs.config.redaction import redact
from wheelfs.config.settings import Settings

__all__ = [
    "INDEX_KEYS",
    "OPTIONS",
    "Given",
    "IndexSetting",
    "Option",
    "Settings",
    "described",
    "environment_of",
    "load",
    "redact",
]

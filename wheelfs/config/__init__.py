"""The configuration: which options there are, where their values come from, and what to say when one is wrong."""

from wheelfs.config.loading import Given, environment_of, load
from wheelfs.config.redaction import redact
from wheelfs.config.settings import OPTIONS, Option, Settings
from wheelfs.config.values import IndexSetting

__all__ = ["OPTIONS", "Given", "IndexSetting", "Option", "Settings", "environment_of", "load", "redact"]

"""Settings of all tests."""

from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a busy machine is slow; pytest-timeout catches what hangs
settings.load_profile("suite")

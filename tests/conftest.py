"""Settings of all tests."""

import signal

from hypothesis import settings

settings.register_profile("suite", deadline=None)  # a busy machine is slow; pytest-timeout catches what hangs
settings.load_profile("suite")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; commands under test would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

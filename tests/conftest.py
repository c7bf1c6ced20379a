"""Settings of every test: Hypothesis draws the same examples in every run, without deadlines.

`pytest --hypothesis-profile=explore` looks further, with examples of its own.
"""

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("explore", derandomize=False, deadline=None, max_examples=1000)
settings.load_profile("ci")


def pytest_configure(config):
    # A test of what is rejected, or of a Config, makes components that are never elaborated.
    config.addinivalue_line("filterwarnings", "ignore::amaranth.hdl.UnusedElaboratable")

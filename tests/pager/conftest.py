"""What every test of the pager begins with."""

from tests.environment import clean_environment

__all__ = ["clean_environment"]

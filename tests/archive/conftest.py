"""What every test of the archive begins with."""

from tests.environment import clean_environment

__all__ = ["clean_environment"]

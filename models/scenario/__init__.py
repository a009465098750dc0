"""Labelled scenarios: streams of raw mentions in which it is known what should be found."""

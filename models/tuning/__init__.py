"""Thresholds and weights from what is known of the past: labelled scenarios, or reviewed cases."""

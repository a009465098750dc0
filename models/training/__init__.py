"""Trains the model: corpora, their preparation, stages, calibration."""

"""Training the predictor of landmarks."""

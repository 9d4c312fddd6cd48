"""Evaluation: metrics, runs, references, reports, inspection of sets, submissions."""

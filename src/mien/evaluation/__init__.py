"""Judging: metrics, calibration, figures, reports, and the comparison of the paper."""

"""Evaluation: metrics, runs, references, reports, inspection of sets, submissions."""

from mien.errors import require

require("polars", "tables")  # by every module of this room

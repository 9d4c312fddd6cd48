"""The paper's tables and figures, and comparisons: trains what it compares."""

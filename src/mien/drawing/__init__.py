"""What results look like: landmarks, arrows, the 7 x 7 grid, contact sheets, plots, pages."""

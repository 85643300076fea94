"""Statistics of the results: resampling, intervals, comparisons and verification rates."""

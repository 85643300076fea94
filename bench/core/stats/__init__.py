"""Statistics of the results: resampling, intervals, comparisons, verification and identification rates."""

"""What is measured, as ratios within one run. Each file says how to run it and what to expect."""

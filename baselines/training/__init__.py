"""Training of one network: random views, losses, the loop of updates, and its files.

It imports `baselines.networks`, and knows of no folds.
"""

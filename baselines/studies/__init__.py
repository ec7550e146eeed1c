"""Studies of trained baselines: ablation, ensembles, half precision, robustness, sizes."""

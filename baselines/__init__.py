"""Reference baselines for uhcs-bench: Otsu, PixelNet and U-Net."""

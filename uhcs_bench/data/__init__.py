"""The data sets: registry, splits, corrections, and the micrographs with their annotations.

`dataset.load` returns micrographs, `label_maps` reads and checks label maps, `pixels` hashes
images, `torch_dataset` serves PyTorch, and `synthetic` generates the stand-in version. The JSON
files hold what was measured on the deposited data; programs under ``tools/`` write them.

Imports: `plot`, `web` and what stands below them.
"""

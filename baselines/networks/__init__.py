"""Networks of the baselines, one module each, with what they share.

`model` has the interface that training, prediction and export see. Nothing here knows of data sets,
training or label maps' files.
"""

"""Studies of the baselines, one module each.

Of trained models: choices made inside the training folds (`ablation`), numbers of training
micrographs (`efficiency`), averages over seeds (`ensemble`), weights in float16 (`quantization`),
micrographs that were taken otherwise (`robustness`, under `conditions`) and rules for particle
sizes (`sizes`). Of untrained ones: memory and processor time of segmenting (`inference`). Several
take the models of finished folds (`finished`).
"""

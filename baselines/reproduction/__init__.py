"""The paper's tables, figures and settings beside what the baselines gave."""

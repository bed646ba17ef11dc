"""The machinery of experiments: jobs, where they run, their results as files, and sweeps."""

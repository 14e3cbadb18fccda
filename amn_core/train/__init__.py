"""The training of each stage: one loop (`loop`), and what a stage adds to it (`stages`)."""

"""Where and how the work is done: devices, processes, and what fails on them."""

"""The only readers and writers of maps, masks, lists, labels, checkpoints, counts and runs.

Everything here is free of torch except ``checkpoints``, which nobody imports but the code of models.
"""

"""The commands, one file each: its options, its words, and what runs it; torch is imported inside functions alone."""

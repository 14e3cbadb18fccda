"""The lessons, one file a page, and what they share: frame (`page`), figures (`charts`), data and mathematics."""

"""Why is my number not the paper's: files and ground truth read in every way that they allow.

- ``readings``   how files may be read: one value for each choice, and what each is called
- ``sources``    a folder of maps or masks, a run, or counts alone, opened with its data set
- ``allowed``    what the files allow, and what they themselves speak for
- ``counting``   pixels to counts, shared by the readings that do not differ in pixels
- ``scores``     counts to mIoU, precision and recall at every threshold, under a reading
- ``search``     the fewest changes that lead to a target, and how sure that is
- ``diagnosis``  what is counted, first on a sample and then in full, and the answer
- ``findings``   what is suspicious without a target
- ``published``  published figures with their protocol and source
- ``curve``      numbers at thresholds, as logs print them
- ``words``      an answer as plain data, text and Markdown
- ``pictures``   the images that changed most, and the import that reads files as the answer does
"""

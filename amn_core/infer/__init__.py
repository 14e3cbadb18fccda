"""Models over images, free of any command's options: CAM and AMN, segmentation, IRN's walk."""

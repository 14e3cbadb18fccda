"""What the lessons share: their frame, their figures and their data. The pages are in `app/screens/lessons`."""

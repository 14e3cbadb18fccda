"""An assignment from data to report, an hour long: what is asked, what was done, and whether a report is true.

    python -m amn_core course new scenes --out runs/course
    python -m amn_core course check reports --data scenes:size=256,n=48,seed=7

- `assignment`  what is asked: the steps, their minutes, their commands; a folder with ``course.json``
- `work`        what a student left in that folder: answers, images that were opened, when each step was ticked
- `steps`       which steps are done, judged by what is there, never by a mark
- `numbers`     every number of a report, from runs
- `report`      the report: figures, numbers, answers, record and maps in one HTML file
- `record`      what a report holds so that it can be computed again
- `check`       all of it again from the record and the teacher's own data
- `notes`       the teacher's notes

A report holds the maps themselves, so that whoever has the data needs nothing else to compute its numbers.
"""

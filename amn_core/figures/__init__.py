"""Figures, tables and reports for print, each with a record from which it can be made again.

    python -m amn_core figure miou runs/cam runs/amn --out miou.pdf
    python -m amn_core figure --from miou.pdf.json
    python -m amn_core figure kit runs/cam runs/amn --out paper

A figure is made in four steps, each in a room of its own; nothing here draws on a screen.

- `config`       what can be asked for: `FigureConfig`, whose fields are the options of the command
- `material`     runs to what is drawn: counts of the common images, looks, protocol, thresholds
- `curves`, `distributions`, `bars`, `grids`      material to a matplotlib `Figure` and the first words of its caption
- `parts`, `costs`, `two_cuts`, `refinement`, `consequence`      likewise
- `tables`, `latex`, `report`     the same to Markdown, CSV, LaTeX, and to one HTML file
- `captions`     the words below, and the protocol as a footnote
- `styles`       sizes and fonts of a page, colours and dashes of a run, and a `Figure` to bytes
- `record`       what a file was made from, and how it is written into the file
- `make`         all of it in order, and again from a record
- `kit`          the standard set in one folder, with a paper that shows it

Matplotlib is used through `matplotlib.figure.Figure` alone: pyplot keeps figures that nobody closes.
"""

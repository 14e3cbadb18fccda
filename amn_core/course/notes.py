"""The teacher's notes: what to prepare, what students find at each step, where they go wrong, how to mark."""

PREPARE = """\
1. **Choose the data.** *Drawn scenes* need no download and each student trains two networks; *Oxford-IIIT Pet* has
   photographs, with ready models that know cat and dog from VOC, and needs 0.8 GB on each machine.
2. **One seed for the class**, so that everybody measures on the same images: it is in the spec that
   `course new` prints.
3. **Work it through once yourself**, on a machine like your students'.
4. Students work with the app on their own machines, since a classroom's page changes nothing; you show the lessons
   with `run --classroom` before.
"""
NOTES = {
    "data": "Ask what 255 means. In the pets the border of each animal is not scored, so that a mask that is some "
            "pixels too fat costs nothing; in the drawn scenes every pixel is scored.",
    "guess": "Most guess 0.5, because a map looks like a probability. It is divided by its own maximum, so 0.5 says "
             "nothing but half of the largest value of this image. Let two or three say why they guessed as they did.",
    "maps": "The one long wait: use it for the first two lessons. If a machine is slow, hand out the folder `runs` of "
            "your own trial; the check does not mind, the steps do not either.",
    "look": "They find small objects, several objects, and those of which one part is far brighter than the rest. The "
            "wrong conclusion is that these maps are bad: at their own threshold many of them are good.",
    "curves": "A common mistake is to read the peak of another run, or mIoU at the bar's threshold in place of the "
              "peak. The step names the number that is wrong, never the right one.",
    "choose": "No rule is right. Marks are for a reason that uses no mask: the valley of a histogram, a share of "
              "foreground, some labelled points. The report shows the regret, which is not the mark.",
    "refine": "PAMR mends borders and does not bring back what was cut away: far from the peak it cannot help much.",
    "words": "Look for numbers in the second answer (gap, imbalance), and for the oracle, the plateau or the regret in "
             "the third.",
    "report": "One file. Put all of them into one folder and check that.",
}
MARKING = """\
| points | for |
|---|---|
| 2 | every step done, and the report true |
| 3 | *Look*: what the images have in common, said of their maps and not of their motifs |
| 3 | *What AMN changes*: spread and distance told apart, with numbers |
| 3 | *Choose*: a rule that uses no mask, and what it assumes |
| 2 | *What should stand beside a peak*: one of plateau, regret, oracle, a threshold chosen elsewhere, with a reason |
"""
LIMITS = """\
The check counts the maps in a report against **your** masks and makes tables, steps, words and figures again; a number
that is not that of its maps is named, as are other images. Where a bundled model made the maps (pets), it makes two of
them again. Captions and figures are compared where the same version of the code wrote them; else the table says so, and
numbers, steps and answers are compared all the same: let the class use one version. The check cannot know whether
somebody else did the work, whether times are true, or whether maps of one's own training are those of that training;
two answers that agree word for word, and maps too good to be true, are noted.
"""

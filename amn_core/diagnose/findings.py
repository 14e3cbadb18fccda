"""What is suspicious about files by themselves: a list with the evidence and the remedy, empty where all is well."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from amn_core.diagnose.allowed import Allowed, find_range
from amn_core.diagnose.readings import PLANES, Reading, find_pixels, word_numbering
from amn_core.diagnose.scores import Board, find_peak
from amn_core.diagnose.sources import Source, assign_planes
from amn_core.formats.foreign import KEYS_ONLY
from amn_core.formats.readings import find_size

# From when on something is worth a line: shares of files, and points of mIoU (ours, chosen on drawn sets).
FEW, MOST = 0.02, 0.5
AGREEING = 0.95
LOST = 0.02
APART = 0.2
ASPECT = 0.1
HASHED = 1 << 22
NOTHING_SEEN = 0.98


@dataclass(frozen=True)
class Finding:
    """Something suspicious: what it is, what shows it, what to do, and the choice of a reading that it concerns."""

    what: str
    evidence: str
    remedy: str
    choice: str = ""


def find_findings(source: Source, allowed: Allowed, board: Board, base: Reading) -> list[Finding]:
    """Find what is suspicious about files, the most serious first."""
    supported = allowed.find_supported(base)
    findings = [*find_missing(source), *find_strangers(source, allowed), *find_extra_planes(allowed),
                *find_values(source, allowed, supported.plane), *find_empty_planes(source, allowed),
                *find_order(source, allowed, supported.plane), *find_wrong_sizes(source, allowed),
                *find_duplicates(source)]
    if not any(finding.choice == "normalisation" for finding in findings):  # thresholds mean little then
        findings += [*find_bad_cut(board, supported), *find_lowest(board, supported)]
    return [*findings, *find_unsure(board, base, allowed)]


def find_missing(source: Source) -> Iterator[Finding]:
    """Find images of the list that have no file, or no ground truth."""
    if source.missing:
        total = len(source.missing) + len(source.dataset.ids)
        yield Finding("images without a file", f"{len(source.missing)} of {total} images of the list {source.split}, "
                      f"such as {source.missing[0]}", "make the others, or score the list that the files are of",
                      "images")


def find_strangers(source: Source, allowed: Allowed) -> Iterator[Finding]:
    """Find files whose classes are not those of the image labels."""
    first = allowed.choices.numbering[0]
    share, best = allowed.agreement[first], max(allowed.agreement, key=allowed.agreement.get)
    least = MOST if source.is_masks else AGREEING
    better = allowed.agreement[best] > share + 0.02
    if share >= least and not (source.is_masks and better and share < AGREEING):
        return
    own = f"read {word_numbering(first, source.is_masks)}, {share:.0%} of the files show the classes of their labels"
    if better and best in allowed.choices.numbering:
        yield Finding("classes in another numbering", f"{own}; read {word_numbering(best, source.is_masks)}, "
                      f"{allowed.agreement[best]:.0%} do", f"read them {word_numbering(best, source.is_masks)}",
                      "numbering")
    elif not source.is_masks or share < MOST / 2:
        yield Finding("classes that the labels lack", own, "check the class list and the image labels", "numbering")


def find_extra_planes(allowed: Allowed) -> Iterator[Finding]:
    """Find maps with a plane more than classes."""
    if allowed.known is None:
        return
    plane = allowed.choices.background[0].partition(":")[0]
    if plane in ("plane", "last", "key 0") and allowed.known.background != "none":
        yield Finding("a plane more than classes",
                      f"each file holds one; by its values {PLANES[allowed.known.background]}",
                      "leave it out, or let it compete with the classes: name which", "background")


def find_values(source: Source, allowed: Allowed, plane: str) -> Iterator[Finding]:
    """Find maps that exceed 1, lie below 0, or do not reach 1."""
    if allowed.known is None or len(allowed.choices.normalisation) < 2:
        return
    pairs = list(zip(allowed.raws, allowed.labels, strict=True))
    low, peaks = find_range(pairs, plane, allowed.known, len(source.class_names))
    if not peaks.size:
        return
    remedy = "normalise them as the number you compare with was: by maximum, by range or by softmax"
    if low < -1e-3 or peaks.max() > 1.001:
        yield Finding("values outside of [0, 1]", f"from {low:.3g} to {peaks.max():.3g}", remedy, "normalisation")
    elif np.mean(peaks > NOTHING_SEEN) < 0.1:
        yield Finding("maps that do not reach 1", f"the largest value is {np.median(peaks):.2f} in half of the maps",
                      remedy, "normalisation")
    elif (low := find_floor(pairs, plane, allowed, len(source.class_names))) > 0.05:
        yield Finding("maps that do not come down to 0", f"the least value is {low:.2f} in half of them", remedy,
                      "normalisation")


def find_floor(pairs, plane: str, allowed: Allowed, n_classes: int) -> float:
    """Find the median of the least value of each map."""
    assigned = [assign_planes(raw, plane, allowed.known, own, n_classes) for raw, own in pairs]
    floors = [float(cam.min()) for one in assigned if one is not None for cam in one.planes]
    return float(np.median(floors)) if floors else 0.0


def find_empty_planes(source: Source, allowed: Allowed) -> Iterator[Finding]:
    """Find maps that were scaled one by one although nothing is to be seen: planes of absent classes that reach 1."""
    if allowed.known is None or not allowed.known.is_full:
        return
    reach = []
    for raw, own in zip(allowed.raws, allowed.labels, strict=True):
        planes = np.moveaxis(raw.planes, 2, 0) if allowed.known.is_last else raw.planes
        shift = allowed.known.background == "plane"
        absent = [c for c in range(1, len(source.class_names)) if c not in own and c - 1 + shift < len(planes)]
        reach += [planes[c - 1 + shift].max() > NOTHING_SEEN for c in absent]
    if reach and np.mean(reach) > MOST:
        yield Finding("maps scaled one by one where nothing is to be seen",
                      f"{np.mean(reach):.0%} of the planes of absent classes reach 1",
                      "scale by image or by data set, or keep to the image labels", "normalisation")


def find_order(source: Source, allowed: Allowed, plane: str) -> Iterator[Finding]:
    """Find planes in another order than their classes: in images with several, they lie on another class's object."""
    if allowed.known is None or allowed.known.is_full:
        return
    name, better, compared = next(iter(source.masks)), 0, 0
    for image_id, raw, own in zip(allowed.ids, allowed.raws, allowed.labels, strict=True):
        assigned = assign_planes(raw, plane, allowed.known, own, len(source.class_names))
        if assigned is None or len(own) != 2 or len(assigned.planes) != 2:
            continue
        gt = source.gt(image_id, name)
        if gt.shape != assigned.planes.shape[1:]:
            continue
        means = [[cam[gt == c].mean() if (gt == c).any() else np.nan for c in own] for cam in assigned.planes]
        if np.isnan(means).any():
            continue
        compared += 1
        better += means[0][1] + means[1][0] > means[0][0] + means[1][1]
    if compared >= 3 and better > 0.7 * compared:
        yield Finding("planes in another order than their classes",
                      f"in {better} of {compared} images with two classes each map lies on the other's object",
                      "write planes and keys in the same order", "numbering")


def find_wrong_sizes(source: Source, allowed: Allowed) -> Iterator[Finding]:
    """Find maps of another shape than their image, and the few that differ from the rest."""
    if allowed.known is None:
        return
    name, sizes, wrong = next(iter(source.masks)), Counter(), []
    for image_id, raw in zip(allowed.ids, allowed.raws, strict=True):
        if raw.layout == KEYS_ONLY or not len(raw.planes):
            continue
        (h, w), (height, width) = find_size(raw, allowed.known.reading), source.gt(image_id, name).shape
        sizes[(h, w) == (height, width)] += 1
        slack = 1.5 / min(h, w)  # of a size that was rounded
        if abs(np.log(h * width / (w * height))) > max(ASPECT, slack):
            wrong.append((image_id, (h, w), (height, width)))
    if wrong:
        image_id, (h, w), (height, width) = wrong[0]
        yield Finding("maps of another shape than their images",
                      f"{len(wrong)} of {sum(sizes.values())} files, such as {image_id}: {h}×{w} for {height}×{width}",
                      "check the order of height and width", "size")
    elif len(sizes) == 2 and min(sizes.values()) <= 0.2 * sum(sizes.values()):
        yield Finding("a few maps of another size", f"{min(sizes.values())} of {sum(sizes.values())} files are "
                      f"{'not ' if sizes[True] > sizes[False] else ''}at the size of their image",
                      "make these anew; they are resized here", "size")


def find_duplicates(source: Source) -> Iterator[Finding]:
    """Find files with the same content under different names."""
    if source.folder is None:
        return
    paths = [files[0][1] for image_id, files in source.folder.files.items() if image_id in set(source.dataset.ids)]
    seen: dict[tuple, list[str]] = {}
    for path in paths:
        with path.open("rb") as file:
            seen.setdefault(hashlib.blake2b(file.read(HASHED)).digest(), []).append(path.stem)
    twice = [names for names in seen.values() if len(names) > 1]
    extra = sum(len(names) - 1 for names in twice)
    if extra > (MOST * len(paths) if source.is_masks else 0):
        yield Finding("files with the same content", f"{extra + len(twice)} files, such as {twice[0][0]} and "
                      f"{twice[0][1]}", "write each image's own maps; an old file may have been copied", "")


def find_bad_cut(board: Board, base: Reading) -> Iterator[Finding]:
    """Find a threshold that is far from the peak, with recall far from precision."""
    if base.cut is None or not base.has_cut:
        return
    curve = board.curve(base)
    score, peak = board.score(base), find_peak(curve)
    lost, apart = curve[peak, 0] - score[0], score[2] - score[1]
    if (lost > LOST and abs(apart) > APART) or lost > 2 * LOST:
        way = "low" if board.thresholds(base)[peak] > base.cut else "high"
        yield Finding(f"the threshold is too {way}", f"at {base.cut:g} recall is {100 * score[2]:.1f} and precision "
                      f"{100 * score[1]:.1f}; {100 * lost:.1f} points of regret",
                      f"the curve peaks at {board.thresholds(base)[peak]:.3f} (on the ground truth)", "cut")


def find_lowest(board: Board, base: Reading) -> Iterator[Finding]:
    """Find maps of which most images are best at threshold 0: they were cut before, or hold masks."""
    if not base.has_cut:
        return
    ids = board.lists[base.images]
    best = score_places(board, base, ids)
    if best.size and np.mean(best == 0) > MOST:
        yield Finding("most images are best at threshold 0", f"{np.mean(best == 0):.0%} of {len(best)} images",
                      "the maps are 0 outside of the objects already: they were cut before, or are masks", "background")


def score_places(board: Board, base: Reading, ids: tuple[str, ...]) -> np.ndarray:
    """Score each image by itself and find the place of its best threshold, foreground against background, (n,)."""
    counting = board.countings[find_pixels(base, board.is_masks)].select(ids)
    n_images, n_bins = len(counting.ids), counting.bins.shape[1]
    fore, back = (np.zeros((n_images, n_bins)) for _ in range(2))
    is_object = (counting.gt > 0) & (counting.gt < board.n_classes)
    np.add.at(fore, counting.image[is_object], counting.bins[is_object])
    np.add.at(back, counting.image[counting.gt == 0], counting.bins[counting.gt == 0])
    hit, extra = (np.cumsum(part[:, :0:-1], axis=1)[:, ::-1] for part in (fore, back))
    total = fore.sum(axis=1, keepdims=True)
    known = (total[:, 0] > 0) & (back.sum(axis=1) > 0)
    return (hit[known] / np.maximum(total[known] + extra[known], 1)).argmax(axis=1)


def find_unsure(board: Board, base: Reading, allowed: Allowed) -> Iterator[Finding]:
    """Find unsure pixels in masks whose treatment matters."""
    others = {value: board.score(base.change("unsure", value))[0] for value in allowed.choices.unsure[1:]}
    score = board.score(base)[0]
    if others and max(abs(value - score) for value in others.values()) > 0.002:
        text = ", ".join(f"{100 * value:.1f} as {name}" for name, value in others.items())
        yield Finding("255 in the masks", f"unsure pixels count as background here: {100 * score:.1f}; {text}",
                      "say with the number what unsure pixels count as", "unsure")

"""The work of *Label* behind its screen: questions of a session, answers to the file, and what the browser is sent."""

import uuid
from dataclasses import dataclass, field

import numpy as np

from amn_core.choosing.asking import find_chances
from amn_core.choosing.placing import draw_question, mark_run
from amn_core.formats.answers import append_entries, append_undo, build_entry, hash_photo
from amn_core.formats.runs import Run
from app import roots
from app.cache import answers as cached_answers
from app.cache import runs as cached
from app.cache.own import OwnAnswers
from app.pictures.questions import Asked, encode
from app.words.answers import write_details, write_verdict

AHEAD = 8
ANSWERS = ("background", "other", "unsure")


@dataclass
class Session:
    """The questions of one visitor on one run.

    Attributes:
        asked: questions by id. queue: ids of those to come. kept: number of the last answer kept. entries: ids of
            kept answers by question. own: keeps a viewer's answers in the page; None where they are
        written to the file.
    """

    asked: dict[str, Asked] = field(default_factory=dict)
    queue: list[str] = field(default_factory=list)
    kept: int = 0
    entries: dict[str, str] = field(default_factory=dict)
    own: OwnAnswers | None = None


def fill_queue(session: Session, run: Run, standing: cached_answers.Standing) -> None:
    """Draw questions until enough are ahead, by what is known now."""
    seen, population = cached_answers.load_seen(run)
    rng = np.random.default_rng()
    while len(session.queue) < AHEAD:
        chances = find_chances(population, standing.estimate, len(standing.placed.entries))
        question = draw_question(seen, population, chances, run.map, rng)
        image = cached.get_dataset(run).image(question.image)
        _, class_ids = run.map(question.image)
        names = tuple(run.class_names[i] for i in class_ids)
        asked = Asked(uuid.uuid4().hex, question, hash_photo(image), image.shape[:2], encode(image), names)
        session.asked[asked.id] = asked
        session.queue.append(asked.id)


def take_answers(session: Session, run: Run, answers: list, who: str = "") -> None:
    """Keep what the browser sends: each answer once, in its order; what is none of ours is passed over."""
    for one in sorted(filter(is_answer, answers), key=lambda one: one["number"]):
        if one["number"] <= session.kept or one["question"] not in session.asked:
            continue
        session.kept = int(one["number"])
        if one["answer"] == "back":
            take_back(session, one["question"])
        else:
            keep_answer(session, run, session.asked[one["question"]], one["answer"], who)


def is_answer(one) -> bool:
    """Tell whether something sent has the form of an answer."""
    return isinstance(one, dict) and isinstance(one.get("number"), int) and all(
        isinstance(one.get(name), str) for name in ("question", "answer"))


def keep_answer(session: Session, run: Run, asked: Asked, answer: str, who: str) -> None:
    """Keep one answer; a class that the image does not have is passed over."""
    name = answer.removeprefix("object:") if answer.startswith("object:") else ""
    if answer not in ANSWERS and name not in asked.classes:
        return
    question = asked.question
    entry = build_entry(
        data=run.meta["data"], split=run.meta["split"], image=question.image, photo=asked.photo, x=question.x,
        y=question.y, kind="object" if name else answer, name=name, run=mark_run(run), weight=question.weight, who=who)
    if session.own is None:
        append_entries(roots.find_answers(), entry)
    else:
        session.own.add(entry)
    session.entries[asked.id] = entry.id
    if asked.id in session.queue:
        session.queue.remove(asked.id)


def take_back(session: Session, question: str) -> None:
    """Take the answer to a question back, and ask it again."""
    if question in session.entries:
        entry_id = session.entries.pop(question)
        if session.own is None:
            append_undo(roots.find_answers(), entry_id)
        else:
            session.own.remove(entry_id)
        session.queue.insert(0, question)


def describe_standing(standing: cached_answers.Standing) -> dict:
    """Describe where a run stands for the browser: the corrected curve, its band, the threshold, and words."""
    bounds, population = standing.bounds, standing.estimate.population
    n_answers = len(standing.placed.entries)
    first, last = standing.at(int(bounds.first)), standing.at(int(bounds.last))
    return {
        "thresholds": population.thresholds[population.ends].round(4).tolist(), "answers": n_answers,
        "miou": bounds.curve.round(4).tolist(),
        "low": bounds.curve_low.round(4).tolist(), "high": bounds.curve_high.round(4).tolist(),
        "threshold": standing.threshold, "first": first, "last": last, "lost": float(bounds.lost),
        "sentence": write_verdict(standing.threshold, bounds, n_answers),
        "after": write_details(first, last, bounds, n_answers)}

"""A job on the screen, refreshed in place: how far it is, what the model does after each epoch, what can be done."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import streamlit as st

from amn_core.choosing.over_training import describe_move, trace_threshold
from amn_core.commands.consequence_results import describe_result
from amn_core.commands.progress import Stage, estimate_rest, find_current, list_stages
from amn_core.formats.trainings import load_probe
from amn_core.jobs import Job, delete_job, load_job, read_log, read_metrics, resume_job, stop_job
from amn_core.jobs.devices import list_ahead
from amn_core.jobs.processes import read_memory
from app import state, training
from app.afterwards import CONSEQUENCE, read_results
from app.cache import runs as cached
from app.cache import trainings as cached_trainings
from app.charts.consequences import draw_consequences
from app.charts.trainings import MOST_CURVES, choose_epochs, draw_growth, draw_histograms, draw_loss, draw_trace
from app.components.job_form import FAILURE, VALUES
from app.words.text import escape

BADGES = {
    "queued": ":gray-badge[:material/schedule: waits]", "running": ":blue-badge[:material/autorenew: running]",
    "done": ":green-badge[:material/check: done]", "failed": ":red-badge[:material/error: failed]",
    "stopped": ":orange-badge[:material/stop_circle: stopped]",
    "interrupted": ":orange-badge[:material/power_off: interrupted]",
}
FAST, SLOW = 1.0, 3.0
CONFIG = {"displaylogo": False, "displayModeBar": False}


def render_job(job: Job) -> None:
    """Render a job; while it is at work every second anew, else often enough to see what another tab does."""
    st.fragment(run_every=FAST if job.is_active else SLOW)(render_live)(job)


def render_live(job: Job) -> None:
    """Render a job as it stands now; once it ends or begins again, the whole page follows."""
    was_active = job.is_active
    try:
        job = load_job(job.path)
    except ValueError:
        st.info("This job was deleted.", icon=":material/delete:")
        return
    stages = list_stages(job)
    render_head(job)
    render_progress(job, stages)
    trainings = [stage for stage in stages if stage.is_training and (stage.folder / "config.json").is_file()]
    if trainings:
        render_training(job, choose_training(trainings))
    if job.words[0] == CONSEQUENCE:
        render_networks(stages[0].folder)
    with st.expander("Log", icon=":material/terminal:", expanded=job.state == "failed"):
        st.code("\n".join(read_log(job.path)) or "nothing yet", language=None)
    st.code(f"python -m amn_core {' '.join(job.words)}", language="bash", wrap_lines=True)
    if job.is_active != was_active:
        cached.clear_runs()
        st.rerun()


def render_networks(folder: Path) -> None:
    """Render what the networks behind the masks have come to, finished trainings only, with what it says."""
    results = read_results(folder)
    if not results:
        st.caption("The chart begins when the masks of the first run are measured.")
        return
    st.plotly_chart(draw_consequences(results), key="chart:networks", config=CONFIG,
                    alt="mIoU of masks and of networks against the threshold of the masks")
    for one in results:
        st.markdown(f"**{escape(one.name)}.** {escape(describe_result(asdict(one)))}")
    st.caption("Dashed: the masks. Solid: the network trained on them, every threshold alike. Bands: 95 %, over "
               "images. The figure for print is *consequence* on Figures.")


def render_head(job: Job) -> None:
    """Render the title, the state, and the buttons."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"#### {escape(job.title)} {BADGES[job.state]}", width="stretch")
        render_open(job)
        render_buttons(job)
    if job.error:
        st.error(escape(job.error), icon=":material/error:")
    if st.session_state.get(FAILURE):
        st.error(escape(st.session_state.pop(FAILURE)), icon=":material/error:")


def render_open(job: Job) -> None:
    """Render the ways to the runs that the job has made."""
    runs = cached.find_runs_below(job.path)
    for screen, label, icon in (("explore", "Explore", "image_search"), ("curves", "Curves", "show_chart")):
        if runs and st.button(f"Open in {label}", icon=f":material/{icon}:", key=f"open:{screen}",
                              type="primary" if job.state == "done" else "secondary"):
            first = next(iter(runs.values()))
            state.put("data", f"{first.meta['data']}/{first.meta['split']}")
            state.put("runs", tuple(runs))
            st.switch_page(f"screens/{screen}.py")


def render_buttons(job: Job) -> None:
    """Render what can be done with a job in its state."""
    is_locked = state.is_classroom()
    if job.is_stopping:
        button("Kill now", "dangerous", is_locked, lambda: stop_job(job, at_once=True),
               "It is saving a checkpoint. Killing it loses the work since the last one.")
    elif job.is_active:
        button("Stop", "stop", is_locked, lambda: stop_job(job), "Saves a checkpoint first; can be resumed.")
    elif job.can_resume:
        button("Resume", "play_arrow", is_locked, lambda: resume_job(job), "Goes on from the last checkpoint.")
    if job.config:
        button("Run again…", "replay", is_locked, lambda: run_again(job), "Opens the form with the same options.")
    if not job.is_active:
        with st.popover("Delete", icon=":material/delete:", disabled=is_locked):
            st.markdown("The log, the checkpoints and the results of this job go for good.")
            button("Delete for good", "delete_forever", is_locked, lambda: delete(job), "")


def button(label: str, icon: str, is_locked: bool, work, help_text: str) -> None:
    """Render a button that does some work; what goes wrong is shown, not raised."""
    if st.button(label, icon=f":material/{icon}:", disabled=is_locked, help=help_text or None, key=f"job:{label}"):
        if state.is_classroom():
            return
        try:
            work()
        except (ValueError, OSError) as error:
            st.session_state[FAILURE] = str(error)
        st.rerun()


def run_again(job: Job) -> None:
    """Fill the form with the options of a job."""
    for key in [key for key in st.session_state if str(key).startswith("train:")]:
        del st.session_state[key]
    st.session_state[VALUES] = training.read_values(job)
    state.put("job", None)


def delete(job: Job) -> None:
    """Delete a job and leave it."""
    delete_job(job)
    state.put("job", None)
    cached.clear_runs()


def render_progress(job: Job, stages: list[Stage]) -> None:
    """Render how far the job is: a bar for all of it, and its stages."""
    current = find_current(stages)
    share = sum(stage.done for stage in stages) / len(stages)
    text = f"{current.name}: {current.done:.0%}" if current and job.is_active else f"{share:.0%}"
    if job.is_stopping:
        text = "saving a checkpoint, then it stops"
    elif job.state == "queued":
        text = f"waits for the {job.device} device; {len(list_ahead(job))} before it"
    st.progress(min(1.0, share), text=text)
    marks = {True: ":material/check:", False: ":material/more_horiz:"}
    st.caption(" · ".join(
        f"**:material/play_arrow: {stage.name}**" if stage == current and job.is_active
        else f"{marks[stage.done >= 1]} {stage.name}" for stage in stages))


def choose_training(trainings: list[Stage]) -> Stage:
    """Choose which training is looked at, the latest at first."""
    names = {stage.name: stage for stage in trainings}
    if len(names) == 1:
        return trainings[0]
    key = f"job-training:{len(names)}"  # with each training that begins, the choice falls on it
    return names[st.segmented_control("Training", list(names), default=list(names)[-1], required=True, key=key,
                                      label_visibility="collapsed")]


def render_training(job: Job, stage: Stage) -> None:
    """Render one training: its numbers, its loss, and what it does after each epoch."""
    entries, method = read_metrics(stage.folder / "metrics.jsonl"), stage.name.removeprefix("train ")
    if entries:
        render_numbers(job, stage, entries)
    probe = load_probe(stage.folder)
    left, right = st.columns(2, gap="medium")
    with left:
        if entries:
            st.markdown("**Loss**")
            st.plotly_chart(draw_loss(method, entries), key="chart:loss", config=CONFIG, alt="Loss over the epochs")
    if probe is None:
        return
    with right:
        epochs = choose_epochs(probe.epochs, MOST_CURVES)
        summaries = {epoch: cached_trainings.summarise_probe(probe, epoch) for epoch in epochs}
        st.markdown(f"**Every threshold**, on {len(probe.meta['images'])} fixed images")
        st.plotly_chart(draw_growth(method, summaries, state.get("t")), key="chart:growth", config=CONFIG,
                        alt="mIoU against the threshold after each epoch")
    render_trace(probe, method)
    render_probe(probe, method)


def render_trace(probe, method: str) -> None:
    """Render whether the cut moves while the network learns, once there is an epoch to compare."""
    if len(probe.epochs) < 2:
        return
    trace = trace_threshold({epoch: cached_trainings.summarise_probe(probe, epoch) for epoch in probe.epochs})
    st.markdown(f"**Does the cut move?** {describe_move(trace)}")
    st.plotly_chart(draw_trace(method, trace), key="chart:trace", config=CONFIG,
                    alt="Best threshold with its plateau, peak mIoU and imbalance after each epoch")


def render_numbers(job: Job, stage: Stage, entries: list[dict]) -> None:
    """Render where a training stands, in figures."""
    last, rest = entries[-1], estimate_rest(entries, job.status.get("began") or 0.0)
    left = training.write_duration(rest) if rest is not None and stage.done < 1 and job.is_active else "–"
    command = job.processes.get("command")
    memory = (command and command.is_alive and read_memory(command.pid)) or last.get("memory", 0)
    ended = datetime.fromtimestamp(last["time"]).strftime("%H:%M:%S")
    epochs = round(last["epoch"] * last["steps"] / last["step"])
    values = {
        "Epoch": f"{last['epoch']:.2f} of {epochs}", "Time left": left,
        "Images a second": f"{last['images_per_second']:.1f}", "Loss": f"{last['loss_smooth']:.4f}",
        "Learning rate": f"{last['lr']:.1e}", "Memory": f"{memory / 1e9:.1f} GB",
    }
    for column, (name, value) in zip(st.columns(len(values)), values.items()):
        column.metric(name, value)
    st.caption(f"Step {last['step']} of {last['steps']}, at {ended}")


def render_probe(probe, method: str) -> None:
    """Render histograms and maps of the probe, the start beside now."""
    left, right = st.columns(2, gap="medium")
    epochs = choose_epochs(probe.epochs, 2)
    with left:
        st.markdown("**Activation** on the object, above, and elsewhere, below")
        counts = {epoch: cached_trainings.load_probe_counts(probe, epoch) for epoch in epochs}
        st.plotly_chart(draw_histograms(method, counts, state.get("t")), key="chart:histograms", config=CONFIG,
                        alt="Activation histograms at the start and now")
    with right:
        st.markdown("**Maps** of fixed images over time")
        st.image(cached_trainings.render_probe_sheet(probe), width="stretch")

"""Jobs: commands that outlive the browser, the app's server and, by their checkpoints, the machine.

A job is a command of ``python -m amn_core`` in a folder and a process session of its own. Whoever wants to
know how it stands reads its folder; whoever wants to change it leaves a file there. Nothing here imports torch.

- `folder`     what a job is on disk, and how it stands
- `control`    start, stop, resume, delete
- `runner`     the process that looks after one job
- `devices`    whose turn it is on which device
- `processes`  which process is meant, though ids are given out again
- `checks`     what a job's files must look like before anything else reads them
"""

from amn_core.formats.trainings import read_metrics
from amn_core.jobs.control import delete_job, resume_job, start_job, stop_job, wait_for_job
from amn_core.jobs.devices import count_gpus
from amn_core.jobs.folder import Job, describe_job, find_job, find_jobs_root, list_jobs, load_job, read_log, scan_jobs

__all__ = [
    "Job", "count_gpus", "delete_job", "describe_job", "find_job", "find_jobs_root", "list_jobs", "load_job",
    "read_log", "read_metrics", "resume_job", "scan_jobs", "start_job", "stop_job", "wait_for_job",
]

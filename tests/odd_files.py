"""Contents of run.json, job.json and status.json that no writer of ours leaves, each under a name."""

import json
from typing import Any

DEEP = 100_000
WHOLE_FILES = {
    "empty": b"", "blank": b" \n", "null": b"null", "list": b"[]", "number": b"7", "text": b'"run"', "object": b"{}",
    "half": b'{"format": "amn-run", "na', "not unicode": b"\xff\xfe\x00{", "binary": bytes(range(256)),
    "too deep": b"[" * DEEP + b"]" * DEEP, "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "long number": b'{"format": ' + b"9" * 5000 + b"}", "two": b"{} {}", "mark": b"\xef\xbb\xbf{}",
    "other format": b'{"format": "other"}', "format null": b'{"format": null}', "format list": b'{"format": []}',
}
ODD_VALUES: dict[str, Any] = {
    "null": None, "list": [], "object": {}, "number": 5, "true": True, "nan": float("nan"), "huge": 10**400,
    "lines": "a\nb", "zero byte": "a\0b", "surrogate": "\ud800", "nested": [[[{}]]], "long": "x" * 100_000,
}
RUN_ENTRIES = {
    "name": (*ODD_VALUES, "blank"), "method": ("null", "list", "number", "long"), "data": ("null", "object", "lines"),
    "split": ("null", "nested", "zero byte"), "class_names": ("null", "list", "object", "nested", "long"),
    "protocol": ("null", "list", "number", "long"), "version": ("null", "list", "nan", "long", "true", "huge"),
    "images": ("list", "nan", "true", "long"), "model": ("list", "number", "long"), "versions": ("nested", "long"),
    "counts": ("list", "number"), "import": ("list", "long"), "refinement": ("nested",),
    "command": ("number", "nested"), "created": ("number", "object"),
    "data_root": ("number", "zero byte", "nested"), "kind": ("list", "object"),
    "label_source": ("nested", "number"),
}
PROTOCOL_ENTRIES = {
    "classes": ("number", "nested", "long"), "averaging": ("number", "list", "long"), "scales": ("number", "nested"),
    "normalisation": ("list", "object", "number"), "ground_truth": ("nested",), "registration": ("object",),
}
MODEL_ENTRIES = {"backbone": ("list", "object"), "sha256": ("number", "nested"), "checkpoint": ("object",)}
JOB_ENTRIES = {
    "title": ("null", "list", "number", "surrogate"), "words": ("null", "list", "number", "nested", "long"),
    "device": ("null", "list"), "gpus": ("null", "long", "true", "huge", "nan"), "config": ("null", "list", "long"),
    "created": ("null", "nan", "long", "huge", "true"),
}
STATUS_ENTRIES = {
    "state": ("null", "list", "number", "long"), "processes": ("list", "number", "long"),
    "error": ("list", "number", "surrogate"), "queued": ("nan", "long", "huge"), "began": ("nested", "true", "huge"),
    "attempt": ("null", "long", "nan"), "devices": ("number", "nested", "null"),
}
ODD_VALUES["blank"] = "  "


def spoil(meta: dict[str, Any], entries: dict[str, tuple[str, ...]], below: str = "") -> dict[str, bytes]:
    """Spoil one entry after another of a description (or of an object in it): the files by what was done."""
    files = {}
    for key, kinds in entries.items():
        for kind in kinds:
            odd = meta | ({below: meta[below] | {key: ODD_VALUES[kind]}} if below else {key: ODD_VALUES[kind]})
            files[f"{below + ' ' if below else ''}{key} {kind}"] = json.dumps(odd).encode()
        if not below:
            files[f"{key} missing"] = json.dumps({k: v for k, v in meta.items() if k != key}).encode()
    return files


RUN = {
    "format": "amn-run", "version": 1, "name": "CAM", "method": "cam", "data": "scenes:n=6", "data_root": "",
    "split": "val", "images": 6, "class_names": ["background", "dog"], "label_source": "drawn",
    "protocol": {"normalisation": "max", "classes": ["dog"], "averaging": "irn"}, "model": {"backbone": "ResNet50"},
}
JOB = {"format": "amn-job", "title": "AMN", "words": ["count", "--run", "x"], "device": "cpu", "gpus": 1, "config": {},
       "created": 1e9}
STATUS = {"state": "running", "queued": 1e9, "began": 1e9, "attempt": 1, "error": "", "devices": ["cpu"],
          "processes": {"runner": {"pid": 2**22, "began": "boot:1"}}}
NEEDED = {"name", "method", "data", "split", "class_names", "protocol"}


def list_odd_runs() -> dict[str, bytes]:
    """List run.json files that must be refused."""
    files = spoil(RUN, RUN_ENTRIES) | spoil(RUN, PROTOCOL_ENTRIES, "protocol") | spoil(RUN, MODEL_ENTRIES, "model")
    optional = {f"{key} missing" for key in RUN_ENTRIES if key not in NEEDED}
    strange = {"a class that is none": json.dumps(RUN | {"protocol": {"classes": ["cat"]}}).encode(),
               "version to come": json.dumps(RUN | {"version": 99}).encode(),
               "a class twice": json.dumps(RUN | {"class_names": ["background", "dog", "dog"]}).encode()}
    return WHOLE_FILES | strange | {name: file for name, file in files.items() if name not in optional}


def list_odd_jobs() -> dict[str, bytes]:
    """List job.json files that must be refused."""
    return WHOLE_FILES | spoil(JOB, JOB_ENTRIES) | {
        "train without a method": json.dumps(JOB | {"words": ["train"]}).encode()}


def list_odd_statuses() -> dict[str, bytes]:
    """List status.json files that must not be believed."""
    processes = {"no pid": {"runner": {"began": "x"}}, "pid text": {"runner": {"pid": "1", "began": "x"}},
                 "began null": {"runner": {"pid": 2**22, "began": None}}, "pid 0": {"runner": {"pid": 0, "began": "x"}},
                 "pid minus": {"runner": {"pid": -1, "began": "x"}}, "none": {"runner": None}}
    odd = {f"processes {name}": json.dumps(STATUS | {"processes": one}).encode() for name, one in processes.items()}
    spoiled = spoil(STATUS, STATUS_ENTRIES)
    whole = {name: file for name, file in WHOLE_FILES.items() if b"format" not in file and file not in (b"{}",)}
    return whole | odd | {name: file for name, file in spoiled.items() if not name.endswith("missing")}

"""Files made to run code, to fill memory or to crash are refused, and say what they asked for."""

import io
import os
import pickle
import random
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from amn_core.bench.hostile import change
from amn_core.formats.errors import FormatError, RefusedError
from amn_core.formats.foreign import parse_raw_map, read_raw_map
from amn_core.formats.pickles.files import load_npy_bytes, load_pickled_npy, load_torch_file
from amn_core.formats.pickles.torch_files import load_torch_bytes
from tests.formats.layouts import WRITERS, make_maps, save_on_gpu, write_irn

CALLS = {
    "posix.system": ("posix", "system", ("touch canary",)),
    "os.system": ("os", "system", ("touch canary",)),
    "builtins.eval": ("builtins", "eval", ("open('canary', 'w')",)),
    "builtins.exec": ("builtins", "exec", ("open('canary', 'w')",)),
    "builtins.open": ("builtins", "open", ("canary", "w")),
    "builtins.getattr": ("builtins", "getattr", ("", "join")),
    "builtins.list": ("builtins", "list", ("abc",)),
    "builtins.bytearray": ("builtins", "bytearray", (1 << 30,)),
    "__builtin__.eval": ("__builtin__", "eval", ("open('canary', 'w')",)),
    "subprocess.Popen": ("subprocess", "Popen", (["touch", "canary"],)),
    "importlib.import_module": ("importlib", "import_module", ("antigravity",)),
    "runpy._run_code": ("runpy", "_run_code", ("open('canary', 'w')", {})),
    "functools.partial": ("functools", "partial", (print,)[:0]),
    "operator.methodcaller": ("operator", "methodcaller", ("upper",)),
    "pathlib.Path.touch": ("pathlib", "Path.touch", ("canary",)),
    "copyreg._reconstructor": ("copyreg", "_reconstructor", ("x",)),
    "pickle.loads": ("pickle", "loads", (b"N.",)),
    "numpy.load": ("numpy", "load", ("canary",)),
    "numpy.save": ("numpy", "save", ("canary", 1)),
    "numpy.zeros": ("numpy", "zeros", (1 << 40,)),
    "numpy.core.multiarray.fromfile": ("numpy.core.multiarray", "fromfile", ("canary",)),
    "numpy.testing._private.utils.runstring": ("numpy.testing._private.utils", "runstring", ("1", {})),
    "torch.load": ("torch", "load", ("canary",)),
    "torch.hub.load": ("torch.hub", "load", ("a", "b")),
    "torch.zeros": ("torch", "zeros", (1 << 40,)),
    "torch._utils._rebuild_sparse_tensor": ("torch._utils", "_rebuild_sparse_tensor", (1, 2)),
    "torch.jit.load": ("torch.jit", "load", ("canary",)),
    "torch.nn.modules.linear.Linear": ("torch.nn.modules.linear", "Linear", (1, 1)),
}


def text(value: str) -> bytes:
    """A text as an opcode."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def call(module: str, name: str, arguments: tuple) -> dict[str, bytes]:
    """The ways in which a pickle can call a name."""
    packed = pickle.dumps(arguments, 2)[2:-1]
    return {
        "global": f"c{module}\n{name}\n".encode() + packed + b"R",
        "stack global": text(module) + text(name) + b"\x93" + packed + b"R",
        "new object": f"c{module}\n{name}\n".encode() + packed + b"\x81",
        "new object with keywords": f"c{module}\n{name}\n".encode() + packed + b"}\x92",
        "instance": b"(" + f"i{module}\n{name}\n".encode(),
        "object": b"(" + f"c{module}\n{name}\n".encode() + b"o",
    }


def wrap_npy(body: bytes) -> bytes:
    """Put a pickle into a .npy file of one object."""
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\x80\x04" + body + b"."


def wrap_zip(body: bytes) -> bytes:
    """Put a pickle into a file as torch writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + body + b".")
    return buffer.getvalue()


def wrap_legacy(body: bytes) -> bytes:
    """Put a pickle into a file as torch wrote it before."""
    parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*parts, b"\x80\x02" + body + b".", pickle.dumps([], 2)])


@pytest.mark.parametrize("wanted", CALLS)
def test_call_is_refused_by_name_in_every_way_and_place(wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for way, body in call(*CALLS[wanted]).items():
        hidden = b"}" + text("keys") + body + b"s"
        for bomb in (body, hidden):
            npy, bare = wrap_npy(bomb), b"\x80\x02" + bomb + b"."
            for load, content in (
                (load_npy_bytes, npy), (parse_raw_map, npy), (load_npy_bytes, bare), (load_from, wrap_zip(bomb)),
                (load_from, wrap_legacy(bomb)),
            ):
                with pytest.raises(RefusedError) as caught:
                    load(content)
                assert caught.value.wanted == wanted, way
                assert wanted in str(caught.value)
    assert not list(tmp_path.iterdir())


def load_from(content: bytes):
    """Read the bytes of a torch file with the budget of a file."""
    from amn_core.formats.pickles.parts import build_budget

    return load_torch_bytes(content, build_budget(len(content), 1 << 22))


def test_refusal_names_the_file(tmp_path):
    (tmp_path / "2007_000032.npy").write_bytes(wrap_npy(call("os", "system", ("true",))["global"]))
    with pytest.raises(RefusedError, match=r"2007_000032\.npy: the file asks for 'os\.system', which may run code"):
        load_pickled_npy(tmp_path / "2007_000032.npy")
    (tmp_path / "a.pth").write_bytes(wrap_zip(call("os", "system", ("true",))["global"]))
    with pytest.raises(RefusedError, match=r"a\.pth: the file asks for 'os\.system'"):
        load_torch_file(tmp_path / "a.pth")


def test_real_pickle_with_reduce_is_refused(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'canary'}",)

    np.save(tmp_path / "a.npy", np.array({"keys": Bomb()}, dtype=object), allow_pickle=True)
    torch.save({"state_dict": Bomb()}, tmp_path / "a.pth")
    for load, name in ((read_raw_map, "a.npy"), (load_torch_file, "a.pth")):
        with pytest.raises(RefusedError, match="system"):
            load(tmp_path / name)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("body", [
    b"cnumpy\nndarray\n(t\x81", b"cnumpy\nndarray\n}b", b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\ndtype\n(ttR",
    b"c_codecs\nencode\n" + text("a") + text("rot13") + b"\x86R", b"cbuiltins\nbytes\nJ\x00\x00\x00\x7f\x85R",
    b"K\x05)R", b"]}b", text("P") + b"Q", b"\x82\x01",
], ids=["new array", "state of a class", "other class", "codec", "sized bytes", "call of a number", "state of a list",
        "persistent", "extension"])
def test_misused_name_of_the_list_is_refused(body):
    for content in (wrap_npy(body), b"\x80\x02" + body + b"."):
        with pytest.raises(FormatError):
            load_npy_bytes(content)


def measure_peak(action) -> int:
    """Measure the most memory that an action holds, bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refuse(load, content):
    """Build an action that must be refused."""

    def action():
        with pytest.raises(FormatError):
            load(content)

    return action


@pytest.mark.parametrize("opening,closing", [(b"]", b"a"), (b"", b"\x85"), (b"(", b"t"), (b"}K\x01", b"s")],
                         ids=["lists", "tuples of one", "tuples", "dicts"])
def test_deep_nesting_neither_recurses_nor_crashes(opening, closing):
    depth = 60_000
    body = opening * depth + b"N" + closing * depth
    value = load_npy_bytes(b"\x80\x02" + body + b".")
    for _ in range(depth - 1):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    with pytest.raises(FormatError):
        parse_raw_map(b"\x80\x02" + body + b".")


def test_nested_torch_files_do_not_recurse():
    content = b"N"
    for _ in range(5):
        nested = wrap_legacy(content)
        content = b"ctorch.storage\n_load_from_bytes\nB" + struct.pack("<I", len(nested)) + nested + b"\x85R"
    with pytest.raises(RefusedError, match="_load_from_bytes"):
        load_npy_bytes(wrap_npy(content))


def test_billion_laughs_stay_small_and_are_no_maps():
    lists = (b"](" + (b"h" + bytes([i])) * 100 + b"eq" + bytes([i + 1]) for i in range(60))
    body = b"]q\x00" + b"".join(lists)
    content = b"\x80\x02" + body + b"."
    assert measure_peak(lambda: load_npy_bytes(content)) < 1 << 22
    with pytest.raises(FormatError, match="instead of maps"):
        parse_raw_map(content)
    with pytest.raises(FormatError, match="no maps"):
        parse_raw_map(b"\x80\x02" + body + b"}" + text("cam") + b"h" + bytes([60]) + b"s.")


def forge_npy(shape: str, descr: str = "<f4", body: bytes = b"1234") -> bytes:
    """A plain .npy whose header announces any shape."""
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + body


@pytest.mark.parametrize("shape", [
    "(1000000000000,)", "(1000000, 1000000)", "(-1,)", "(99999999999999999999,)", "(2, 3)", "(0, 5)", "(1.5,)",
    "(1, 1, 1, 1, 1, 1, 1, 1, 1)", "(__import__('os'),)"])
def test_forged_shape_of_a_plain_array_is_refused(shape):
    assert measure_peak(refuse(load_npy_bytes, forge_npy(shape))) < 1 << 22


@pytest.mark.parametrize("descr", ["|O", "|V8", "<c8", "<M8[s]", "<f16", "<U0", "|S999999", "[('a', '<f4')]", "junk"])
def test_unusual_dtype_is_refused(descr):
    with pytest.raises(FormatError):
        load_npy_bytes(forge_npy("(1,)", descr))


def forge_array(shape: tuple) -> bytes:
    """A pickled array whose state announces any shape."""
    dtype = b"cnumpy\ndtype\n" + text("f4") + b"\x89\x88\x87R(K\x03" + text("<")
    dtype += b"NNN" + 2 * b"J\xff\xff\xff\xff" + b"K\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    return start + b"(K\x01" + pickle.dumps(shape, 2)[2:-1] + dtype + b"\x89C\x041234tb"


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 20, 1 << 20), (-1,), (2,), ((1,),), (1,) * 9, (1 << 70,), ("1",)])
def test_forged_shape_of_a_pickled_array_is_refused(shape):
    assert load_npy_bytes(wrap_npy(forge_array((1,)))).shape == (1,)
    assert measure_peak(refuse(load_npy_bytes, wrap_npy(forge_array(shape)))) < 1 << 22


def forge_tensor(offset: int, size: tuple, stride: tuple, count: int = 4) -> bytes:
    """A torch file with one storage of four numbers, and a tensor that announces anything."""
    identity = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    identity += pickle.dumps(count, 2)[2:-1]
    arguments = b"".join(pickle.dumps(value, 2)[2:-1] for value in (offset, size, stride))
    body = b"ctorch._utils\n_rebuild_tensor_v2\n(" + identity + b"tQ" + arguments
    body += b"\x89ccollections\nOrderedDict\n)RtR"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", b"\x80\x02" + body + b".")
        archive.writestr("a/data/0", np.arange(4, dtype=np.float32).tobytes())
    return buffer.getvalue()


@pytest.mark.parametrize("forged", [
    (0, (1 << 40,), (1,)), (0, (1 << 40,), (0,)), (0, (5,), (1,)), (4, (1,), (1,)), (-1, (1,), (1,)), (0, (2,), (4,)),
    (0, (2,), (-1,)), (0, (2, 2), (1,)), (0, (4,), (1,), 1 << 40), (0, (1 << 70,), (1,)),
])


def test_forged_tensor_is_refused(forged):
    np.testing.assert_array_equal(load_from(forge_tensor(1, (2,), (2,))), [1, 3])
    assert measure_peak(refuse(load_from, forge_tensor(*forged))) < 1 << 22


def test_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    buffer = io.BytesIO()
    zeros = bytes(1_000_000)
    archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with archive, archive.open("cam.npy", "w") as file:
        file.write(forge_npy("(270000000,)", "|u1", b""))
        for _ in range(270):
            file.write(zeros)
    assert len(buffer.getvalue()) < 2_000_000
    assert measure_peak(refuse(lambda content: parse_raw_map(content, right=1 << 20), buffer.getvalue())) < 1 << 23


def test_archive_whose_arrays_are_larger_than_announced_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cam.npy", forge_npy("(2, 2)", "<f4", bytes(50_000_000)))
    assert measure_peak(refuse(parse_raw_map, buffer.getvalue())) < 1 << 22


def test_torch_file_with_compressed_storage_is_refused():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(50_000_000))
    assert measure_peak(refuse(load_from, buffer.getvalue())) < 1 << 22


def test_archive_members_are_never_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("../escaped", "/escaped", "cam"):
            part = io.BytesIO()
            np.save(part, np.zeros((1, 2, 2), np.float32))
            archive.writestr(f"{name}.npy", part.getvalue())
        part = io.BytesIO()
        np.save(part, np.array([0]))
        archive.writestr("fg_cls.npy", part.getvalue())
    assert parse_raw_map(buffer.getvalue()).planes.shape == (1, 2, 2)
    assert not list(tmp_path.iterdir()) and not (tmp_path.parent / "escaped.npy").exists()


def make_corpus(folder: Path) -> list[bytes]:
    """Small files of every layout, and of both layouts of torch."""
    for name, write in WRITERS.items():
        write(folder / f"{name}.npy", make_maps(2, 4, 4), np.array([3, 7]))
    np.save(folder / "bare.npy", make_maps(1, 4, 4)[0])
    np.save(folder / "gpu.npy", np.array({"keys": save_on_gpu(torch.tensor([1]))}, dtype=object), allow_pickle=True)
    torch.save({"a": torch.ones(2)}, folder / "zip.npy")
    torch.save({"a": torch.ones(2)}, folder / "old.npy", _use_new_zipfile_serialization=False)
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".png"]


FORBIDDEN = (
    "os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "compile", "exec", "pickle.find_class",
    "open", "socket.connect", "ctypes.dlopen", "shutil.rmtree", "os.remove", "os.rename", "os.mkdir")
WATCH = {"is_on": False, "seen": []}


def watch(event: str, arguments: tuple) -> None:
    """Note what the interpreter is asked to do while a file is read."""
    if WATCH["is_on"] and event in FORBIDDEN:
        WATCH["seen"].append((event, str(arguments)[:200]))


def test_ten_thousand_mutated_files_neither_crash_nor_run_anything(tmp_path):
    corpus = make_corpus(tmp_path)
    draw = random.Random(20220328)
    files = [change(corpus[i % len(corpus)], draw, corpus) for i in range(10_000)]
    for content in corpus:  # whatever is imported late is imported now
        read_either(content)
    sys.addaudithook(watch)
    WATCH["is_on"], read = True, 0
    try:
        for content in files:
            read += read_either(content)
    finally:
        WATCH["is_on"] = False
    assert WATCH["seen"] == []
    assert 0 < read < len(files)  # some changes hit only numbers, others the structure


def read_either(content: bytes) -> bool:
    """Read a file as maps and as a torch file; whether either could be read. Other errors are failures."""
    outcomes = []
    for load in (parse_raw_map, load_from):
        try:
            load(content)
            outcomes.append(True)
        except FormatError:
            outcomes.append(False)
    return any(outcomes)


def test_fuzzed_file_through_the_reader_names_itself(tmp_path):
    write_irn(tmp_path / "a.npy", make_maps(2, 4, 4), np.array([3, 7]))
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(content[:-40])
    with pytest.raises(FormatError, match=r"a\.npy"):
        read_raw_map(tmp_path / "a.npy")

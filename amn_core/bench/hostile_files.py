"""Crafted files: small ones that ask for much memory or time, or that are right outside and wrong inside.

None of them runs code when it is read here; each is a kind that once took gigabytes, minutes, or the program down.
"""

import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from amn_core.formats.archives import pack_arrays

Builder = Callable[[], bytes]
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


def text(value: str) -> bytes:
    """A text as an opcode of a pickle."""
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def end(body: bytes) -> bytes:
    """Make a pickle of a body."""
    return b"\x80\x02" + body + b"."


def laugh(depth: int = 30) -> bytes:
    """Nest lists of a hundred times the list before, noted under 30: printed, they would fill any memory."""
    lists = (b"](" + (b"h" + bytes([i])) * 100 + b"eq" + bytes([i + 1]) + b"0" for i in range(depth))
    return b"]q\x000" + b"".join(lists)


def build_array(shape: bytes, dtype: bytes, body: bytes) -> bytes:
    """Build the opcodes of an array from those of its parts."""
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    return start + b"(K\x01" + shape + dtype + b"\x89" + body + b"tb"


def build_dtype(name: bytes = text("f4")) -> bytes:
    """Build the opcodes of a dtype."""
    return b"cnumpy\ndtype\n" + name + b"\x89\x88\x87R"


def pack(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Pack members into a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method, compresslevel=9) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def build_npy(array: np.ndarray) -> bytes:
    """Build a plain ``.npy``."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def build_wide_archive() -> bytes:
    """Build an archive of sixty arrays of 64 MB each, all zeros."""
    member = build_npy(np.zeros((16, 1000, 1000), np.float32))
    packed = pack({"a.npy": member})
    middle, last = packed.index(b"PK\x01\x02"), packed.index(b"PK\x05\x06")
    local, listed = packed[:middle], packed[middle:last]
    bodies, entries, at = b"", b"", 0
    for number in range(60):
        name = f"{number:05d}"[-5:].encode()
        bodies += local.replace(b"a.npy", name)
        entries += listed.replace(b"a.npy", name)[:42] + struct.pack("<L", at) + name
        at = len(bodies)
    return bodies + entries + b"PK\x05\x06" + struct.pack("<4H2LH", 0, 0, 60, 60, len(entries), len(bodies), 0)


def build_one_array_under_many_keys() -> bytes:
    """Build a dict that names one array of 4 MB 512 times."""
    array = pickle.dumps(np.zeros((1000, 1000), np.float32), 2)[2:-1]
    again = b"".join(b"M" + struct.pack("<H", number) + b"j" + struct.pack("<I", 99_999) for number in range(1, 512))
    return end(b"}(K\x00" + array + b"r" + struct.pack("<I", 99_999) + again + b"u")


def build_legacy_storage(size: int) -> bytes:
    """Build a storage in a file of its own in torch's older layout, with a pickle of many steps."""
    parts = [pickle.dumps(LEGACY_MAGIC, 2), pickle.dumps(1001, 2), pickle.dumps({"little_endian": True}, 2)]
    identity = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x01Nt"
    parts += [end(b"N0" * (size // 2) + identity + b"Q"), pickle.dumps(["0"], 2), struct.pack("<q", 1) + bytes(4)]
    return b"".join(parts)


def build_repeated_torch_file(calls: int = 1000, size: int = 500_000) -> bytes:
    """Build a pickle that opens one nested torch file a thousand times."""
    nested = build_legacy_storage(size)
    body = b"ctorch.storage\n_load_from_bytes\nq\x000B" + struct.pack("<I", len(nested)) + nested + b"q\x010"
    return end(body + b"](" + b"h\x00h\x01\x85R" * calls + b"e")


def build_many_members(count: int = 200_000) -> bytes:
    """Build an archive of very many empty members."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0)
    entries = b"".join(entry + b"%05x" % (number & 0xFFFFF) for number in range(count))
    tail = struct.pack("<4H2LH", 0, 0, count & 0xFFFF, count & 0xFFFF, len(entries), 4, 0)
    return b"PK\3\4" + entries + b"PK\5\6" + tail


def build_run_map(**changes: np.ndarray) -> bytes:
    """Build the stored map of a run, parts of it changed."""
    arrays = {
        "cam": np.zeros((1, 2, 3), np.uint8), "class_ids": np.ones(1, np.uint8), "size": np.array([8, 12], np.int32)}
    return pack_arrays(arrays | changes, 9)


def build_eps() -> bytes:
    """Build an EPS, which Pillow would hand to Ghostscript."""
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9000 9000\n%%EndComments\nshowpage\n%%EOF\n"


def build_png_bomb() -> bytes:
    """Build the head of a PNG of 60,000 × 60,000 pixels."""
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# Name of the kind -> who reads it, and how it is built.
FILES: dict[str, tuple[str, Builder]] = {
    "shape of nested lists": ("maps", lambda: end(laugh() + build_array(b"h\x1e", build_dtype(), b"C\x00"))),
    "dtype of nested lists": ("maps", lambda: end(laugh() + build_dtype(b"h\x1e"))),
    "encoding of nested lists": ("maps", lambda: end(laugh() + b"c_codecs\nencode\n" + text("a") + b"h\x1e\x86R")),
    "storage of nested lists": ("torch", lambda: pack(
        {"a/data.pkl": end(laugh() + b"h\x1eQ")}, zipfile.ZIP_STORED)),
    "keys of nested lists": ("maps", lambda: end(laugh() + b"}" + text("keys") + b"h\x1es" + text("cam") + b"h\x1es")),
    "labels of nested lists": ("labels", lambda: end(laugh() + b"}" + text("2007_000001") + b"h\x1es")),
    "archive of sixty large arrays": ("maps", build_wide_archive),
    "eight million dicts": ("maps", lambda: end(b"}" * 8_000_000)),
    "eight million marks": ("maps", lambda: end(b"(" * 8_000_000)),
    "eight million notes": ("maps", lambda: end(b"N" + b"\x94" * 8_000_000)),
    "four million short texts": ("maps", lambda: end(b"\x8c\x02ab" * 2_000_000)),
    "million dtypes": ("maps", lambda: end(build_dtype() * 300_000)),
    "one array under 512 keys": ("maps", build_one_array_under_many_keys),
    "array of zeros, unpacked 1000 times": ("maps", lambda: pack(
        {"a.npy": build_npy(np.zeros((1, 16_000, 16_000), "u1"))})),
    "map of a run, unpacked 1000 times": ("run map", lambda: build_run_map(
        cam=np.zeros((1, 16_000, 16_000), np.uint8))),
    "map of a run of a huge image": ("run map", lambda: build_run_map(size=np.array([1 << 30, 1 << 30], np.int32))),
    "map of a run without a size": ("run map", lambda: build_run_map(size=np.zeros((2, 0), np.int32))),
    "map of a run of texts": ("run map", lambda: build_run_map(cam=np.array([["a"]]))),
    "counts, unpacked 1000 times": ("counts", lambda: pack_arrays(
        {"decision_bins": np.zeros((1 << 20, 202), np.uint8)}, 9, True)),
    "counts without arrays": ("counts", lambda: pack_arrays({"thresholds": np.zeros(3)}, 9, True)),
    "torch file called a thousand times": ("maps", build_repeated_torch_file),
    "a long line for each line": ("maps", lambda: b"(" + b"S'a'\n" * 3000 + b"V" + b"x" * 3_000_000),
    "archive of 200,000 members": ("maps", build_many_members),
    "torch file of 200,000 members": ("torch", build_many_members),
    "EPS named PNG": ("image", build_eps),
    "EPS named PNG, as a mask": ("mask", build_eps),
    "PNG of 3.6 gigapixels": ("image", build_png_bomb),
    "mask of 3.6 gigapixels": ("mask", build_png_bomb),
    "numpy header of odd numbers": ("maps", lambda: b"\x93NUMPY\x01\x00\x46\x00" + (
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (1 2,), }").ljust(70)),
    "empty array of huge sides": ("maps", lambda: b"\x93NUMPY\x01\x00\x56\x00" + (
        b"{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1099511627775, 9), }").ljust(86)),
}


def build_corpus() -> Iterator[bytes]:
    """Build small sound files of every way to write maps, to be changed by a fuzzer."""
    import torch

    draw = np.random.default_rng(0)
    cam, keys = draw.random((2, 4, 4)).astype(np.float32), np.array([2, 6])
    for content in ({"keys": keys, "high_res": cam}, {2: cam[0], 6: cam[1]}, {"keys": torch.tensor(keys), "cam": cam},
                    {"keys": [], "cam": None}, cam, list(cam)):
        array = np.empty((), dtype=object)
        array[()] = content
        buffer = io.BytesIO()
        np.save(buffer, content if isinstance(content, np.ndarray) else array, allow_pickle=True)
        yield buffer.getvalue()
        for protocol in (0, 2, 5):
            yield pickle.dumps(content, protocol)
        for is_zip in (True, False):
            buffer = io.BytesIO()
            torch.save(content, buffer, _use_new_zipfile_serialization=is_zip)
            yield buffer.getvalue()
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, cam=cam, fg_cls=keys)
        yield buffer.getvalue()

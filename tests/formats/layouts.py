"""Files of maps as each project writes them, by the rules of its own code: numpy and torch, nothing of ours."""

import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from PIL import Image


def make_maps(n_classes: int, height: int = 12, width: int = 16, seed: int = 0) -> np.ndarray:
    """Make smooth-free random maps (K, H, W) float32, each divided by its maximum."""
    cam = np.random.default_rng(seed).random((n_classes, height, width)).astype(np.float32)
    return cam / cam.max(axis=(1, 2), keepdims=True) if n_classes else cam


def save_dict(path: Path, content: dict) -> None:
    """Save a dict as all of these projects do."""
    np.save(path, np.array(content, dtype=object), allow_pickle=True)


def write_irn(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """IRN, ReCAM, AdvCAM, RIB: torch keys and reduced maps, numpy maps at full size."""
    keys = torch.tensor(np.asarray(ids) - 1, dtype=torch.int64)
    save_dict(path, {"keys": keys, "cam": torch.from_numpy(cam[:, ::4, ::4].copy()), "high_res": cam})


def add_background(cam: np.ndarray) -> np.ndarray:
    """Put a plane of background in front."""
    return np.concatenate([1 - cam.max(axis=0, keepdims=True, initial=0), cam]).astype(cam.dtype)


def write_amn(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """AMN: as IRN, with a background channel that the keys do not list."""
    full = add_background(cam)
    keys = torch.tensor(np.asarray(ids) - 1, dtype=torch.int64)
    save_dict(path, {"keys": keys, "cam": torch.from_numpy(full[:, ::4, ::4].copy()), "high_res": full})


def write_keys_only(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """RIB and AMN on COCO, an image without a class."""
    save_dict(path, {"keys": torch.zeros(0, dtype=torch.int64)})


def write_puzzle(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """PuzzleCAM: keys padded with background and 1-based."""
    save_dict(path, {"keys": np.pad(np.asarray(ids), (1, 0)), "cam": cam[:, ::4, ::4].copy(), "hr_cam": cam})


def write_puzzle_walk(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """PuzzleCAM after its random walk."""
    save_dict(path, {"keys": np.pad(np.asarray(ids), (1, 0)), "rw": cam})


def write_seam(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """SEAM, MCTformer, WeakTr, S2C: a map for each 0-based class."""
    save_dict(path, {int(class_id) - 1: plane for class_id, plane in zip(ids, cam, strict=True)})


def write_seam_crf(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """The CRF outputs of the same projects: key 0 is the background, classes count from 1."""
    content = {0: add_background(cam)[0]} | {int(c): plane for c, plane in zip(ids, cam, strict=True)}
    save_dict(path, content)


def write_clip_es(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """CLIP-ES: keys unsorted, maps in half precision."""
    order = np.arange(len(ids))[::-1]
    save_dict(path, {"keys": np.asarray(ids)[order] - 1, "attn_highres": cam[order].astype(np.float16)})


def write_toco(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """ToCo: maps at full size and numpy keys."""
    save_dict(path, {"keys": np.asarray(ids) - 1, "high_res": cam})


def write_excel(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """ExCEL: with a background channel."""
    save_dict(path, {"keys_gt": np.asarray(ids) - 1, "valid_lam": add_background(cam)})


def write_weaktr(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """WeakTr, step 2."""
    save_dict(path, {"keys": np.asarray(ids) - 1, "prob": cam})


def write_fma(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """FMA-WSSS: an archive."""
    np.savez(path.with_suffix(".npz"), cam=cam, fg_cls=np.asarray(ids) - 1)


def write_wsol(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """wsolevaluation: one bare map."""
    np.save(path, cam[0])


def write_class_images(path: Path, cam: np.ndarray, ids: np.ndarray) -> None:
    """WSSS-BED: one 8-bit PNG for each class, named by its number."""
    for class_id, plane in zip(ids, cam, strict=True):
        values = np.rint(plane * 255).astype(np.uint8)
        Image.fromarray(values).save(path.with_name(f"{path.stem}_{class_id}.png"))


def save_on_gpu(tensor: torch.Tensor) -> "GpuTensor":
    """Wrap a tensor so that pickling it gives what a GPU tensor gives, on a machine without one."""
    return GpuTensor(tensor)


class GpuTensor:
    """Pickles as torch pickles a tensor on ``cuda:0``: a nested torch.save whose storage names that place."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor.contiguous()

    def __reduce__(self):
        import torch._utils

        arguments = (GpuStorage(self.tensor), 0, tuple(self.tensor.shape), self.tensor.stride(), False, OrderedDict())
        return torch._utils._rebuild_tensor_v2, arguments


class GpuStorage:
    """Pickles as the storage of a tensor on ``cuda:0``."""

    def __init__(self, tensor: torch.Tensor):
        self.tensor = tensor

    def __reduce__(self):
        import torch.storage

        buffer = io.BytesIO()
        torch.save(self.tensor.reshape(-1), buffer, _use_new_zipfile_serialization=False)
        nested = dump_storage(self.tensor, buffer.getvalue())
        return torch.storage._load_from_bytes, (nested,)


def dump_storage(tensor: torch.Tensor, like: bytes) -> bytes:
    """Dump a storage alone in torch's older layout, placed on ``cuda:0``."""
    kind = {torch.float32: "Float", torch.int64: "Long"}[tensor.dtype]
    parts = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2)]
    parts.append(pickle.dumps({"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}, 2))
    identity = b"(X\x07\x00\x00\x00storagectorch\n" + f"{kind}Storage\n".encode()
    identity += b"X\x01\x00\x00\x000X\x06\x00\x00\x00cuda:0" + b"J" + tensor.numel().to_bytes(4, "little") + b"Nt"
    parts += [b"\x80\x02" + identity + b"Q.", pickle.dumps(["0"], 2)]
    parts += [tensor.numel().to_bytes(8, "little"), tensor.numpy().tobytes()]
    assert like[:12] == parts[0][:12]  # the same magic number as torch's own
    return b"".join(parts)


WRITERS = {
    "irn": write_irn, "amn": write_amn, "puzzle": write_puzzle, "puzzle-walk": write_puzzle_walk, "seam": write_seam,
    "seam-crf": write_seam_crf, "clip-es": write_clip_es, "toco": write_toco, "excel": write_excel,
    "weaktr": write_weaktr, "fma": write_fma, "class-images": write_class_images,
}

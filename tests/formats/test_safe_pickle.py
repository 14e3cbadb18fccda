"""Pickles of numbers are read as numpy and torch read them."""

import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch

from amn_core.formats.errors import FormatError
from amn_core.formats.pickles.files import load_npy_bytes, load_pickled_npy, load_torch_file
from tests.formats.layouts import save_dict, save_on_gpu

DTYPES = ("bool", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "float16", "float32", "float64")
TENSOR_TYPES = (torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8,
                torch.uint8, torch.bool, torch.uint16)


@pytest.mark.parametrize("protocol", range(6))
def test_pickle_of_plain_objects_equals_pickle_loads(protocol):
    value = {"a": [1, -2, 3 << 40, 2.5, True, False, None, "ü\n'", (), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
             7: {"nested": [[]]}, -1: "x" * 300, "long": -(1 << 62), "again": ["x" * 300]}
    start = b"\x80" + bytes([protocol]) if protocol < 2 else b""  # a bare pickle is known by its first byte
    assert load_npy_bytes(start + pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", range(2, 6))
@pytest.mark.parametrize("dtype", DTYPES)
def test_pickle_of_an_array_equals_pickle_loads(protocol, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    swapped = array.astype(array.dtype.newbyteorder(">"))
    value = [array, np.asfortranarray(array), array[:, ::2], swapped, array[0, 0, 1], array[:0], array[0, 0, :1]]
    loaded = load_npy_bytes(pickle.dumps(value, protocol))
    for mine, theirs in zip(loaded, value, strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert np.asarray(mine).dtype == theirs.dtype and np.shape(mine) == np.shape(theirs)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [*DTYPES, ">f4", ">i8"])
def test_plain_npy_equals_numpy_load(tmp_path, dtype, order):
    array = np.asarray(np.arange(24).reshape(2, 3, 4).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", array)
    loaded = load_pickled_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(loaded, array)
    assert loaded.dtype == array.dtype


def test_array_of_objects_keeps_its_shape(tmp_path):
    array = np.empty((2, 2), dtype=object)
    array[...] = [["a", 1], [None, 2.0]]
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    assert load_pickled_npy(tmp_path / "a.npy").tolist() == array.tolist()


@pytest.mark.parametrize("dtype", TENSOR_TYPES, ids=str)
@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_file_gives_every_tensor_back(tmp_path, dtype, is_zip):
    tensor = (torch.arange(24).reshape(2, 3, 4) % 2).to(dtype)
    content = {"plain": tensor, "turned": tensor.permute(2, 0, 1)[1:], "empty": tensor[:0], "scalar": tensor[0, 0, 0],
               "again": [tensor]}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    loaded = load_torch_file(tmp_path / "a.pth")
    for name in ("plain", "turned", "empty", "scalar"):
        np.testing.assert_array_equal(loaded[name], content[name].numpy())
        assert loaded[name].dtype == content[name].numpy().dtype
    np.testing.assert_array_equal(loaded["again"][0], tensor.numpy())


@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_file_widens_bfloat16(tmp_path, is_zip):
    tensor = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    torch.save({"a": tensor}, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    np.testing.assert_array_equal(load_torch_file(tmp_path / "a.pth")["a"], tensor.float().numpy())


@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_file_of_a_model_gives_its_state(tmp_path, is_zip):
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    content = {"state_dict": model.state_dict(), "weight": model[0].weight, "size": torch.Size([3, 4]), "epoch": 5}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=is_zip)
    loaded = load_torch_file(tmp_path / "a.pth")
    assert list(loaded["state_dict"]) == list(model.state_dict())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(loaded["state_dict"][name], tensor.numpy())
    np.testing.assert_array_equal(loaded["weight"], model[0].weight.detach().numpy())
    assert loaded["size"] == (3, 4) and loaded["epoch"] == 5


def test_tensors_in_a_numpy_pickle_equal_numpy_load(tmp_path):
    cam = torch.rand(2, 3, 4).permute(0, 2, 1)
    content = {"keys": torch.tensor([2, 14]), "cam": cam, "high_res": np.ones((2, 6, 8))}
    save_dict(tmp_path / "a.npy", content)
    loaded = load_pickled_npy(tmp_path / "a.npy")
    assert list(loaded) == list(content)
    for name, value in content.items():
        np.testing.assert_array_equal(loaded[name], np.asarray(value))


def test_tensor_saved_on_a_gpu_is_read_without_one(tmp_path):
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    save_dict(tmp_path / "a.npy", {"keys": save_on_gpu(torch.tensor([4])), "cam": save_on_gpu(tensor)})
    assert b"cuda:0" in (tmp_path / "a.npy").read_bytes()
    loaded = load_pickled_npy(tmp_path / "a.npy")
    np.testing.assert_array_equal(loaded["cam"], tensor.numpy())
    assert loaded["keys"].tolist() == [4]


def test_ordered_dict_with_metadata_is_a_dict():
    value = OrderedDict(a=1, b=2)
    value._metadata = {"": {"version": 1}}
    assert load_npy_bytes(pickle.dumps(value, 2)) == {"a": 1, "b": 2}


def test_python_2_pickle_is_read():
    content = b"\x80\x02}q\x00(U\x04keysq\x01]q\x02(K\x01K\x02eU\x01tq\x03X\x02\x00\x00\x00\xc3\xbcu."
    assert load_npy_bytes(content) == {"keys": [1, 2], "t": "ü"}


def test_loaded_arrays_cannot_be_written_to(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        load_pickled_npy(tmp_path / "a.npy")[0] = 1


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff{}", b"hello", b"\x80", b"\x80\x04."])
def test_broken_file_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "broken.npy").write_bytes(content)
    with pytest.raises(FormatError, match=r"broken\.npy"):
        load_pickled_npy(tmp_path / "broken.npy")


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(FormatError, match=r"no\.npy: no such file"):
        load_pickled_npy(tmp_path / "no.npy")
    with pytest.raises(FormatError, match="no such file"):
        load_torch_file(tmp_path)


def test_cut_file_is_an_error_at_every_length(tmp_path):
    save_dict(tmp_path / "a.npy", {"keys": torch.tensor([1]), "cam": np.ones((1, 2, 2), np.float32)})
    content = (tmp_path / "a.npy").read_bytes()
    for length in range(len(content)):
        with pytest.raises(FormatError):
            load_npy_bytes(content[:length])

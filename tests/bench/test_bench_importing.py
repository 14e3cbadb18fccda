"""The benchmark of the import measures what it says."""

import pytest

from amn_core.bench.importing import BenchImportConfig, bench_import


def test_bench_import_reads_what_numpy_reads():
    result = bench_import(BenchImportConfig(images=2, repeats=1))
    assert result["agree"] and result["images"] == 2 and result["megabytes"] > 2 * 2 * 375 * 500 * 4 / 1e6
    assert set(result["seconds"]) == {"bytes", "theirs", "ours", "count", "keep", "import"}
    assert result["ratio"] == result["seconds"]["theirs"] / result["seconds"]["ours"]


def test_bench_import_refuses_nothing_to_measure():
    with pytest.raises(ValueError, match="at least 1"):
        bench_import(BenchImportConfig(images=0))

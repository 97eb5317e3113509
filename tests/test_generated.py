"""The committed copies of generated files are what the declarations say today."""

from pathlib import Path

import pytest

from .generate import AGAIN, ROOT, single_files


@pytest.mark.parametrize("path", single_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_committed_copy_is_fresh(path: Path) -> None:
    assert path.exists(), AGAIN
    assert path.read_text("utf-8") == single_files()[path], AGAIN

"""CRC-32C by block: against its published check value, and against every flipped block."""

from pathlib import Path

import numpy as np
import pytest

from app.integrity.blocks import (
    BLOCK,
    blocks_of,
    crc,
    crc_of,
    decoded,
    encoded,
    file_crc,
    first_damage,
)

CHECK = 0xE3069283  # of the digits 1 to 9, in the catalogue of CRC algorithms (CRC-32/ISCSI)


def test_check_value(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123456789")
    assert crc(b"123456789") == crc(b"56789", crc(b"1234")) == file_crc(path) == CHECK
    assert crc_of(memoryview(b"123456789")) == CHECK


def test_the_damaged_block_is_found(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(3 * BLOCK + 5)
    path = tmp_path / "a"
    path.write_bytes(content)
    sums = decoded(encoded([crc(content[i : i + BLOCK]) for i in range(0, len(content), BLOCK)]))
    assert len(sums) == 4
    assert first_damage(path, sums) is None
    for byte in (0, BLOCK - 1, 2 * BLOCK, len(content) - 1):
        changed = bytearray(content)
        changed[byte] ^= 128
        path.write_bytes(changed)
        assert first_damage(path, sums) == byte // BLOCK * BLOCK
    path.write_bytes(content[:-1])
    assert first_damage(path, sums) == 3 * BLOCK


def test_blocks_that_hold_some_bytes() -> None:
    assert blocks_of(0, 1) == range(0, 1)
    assert blocks_of(BLOCK - 1, BLOCK + 1) == range(0, 2)
    assert blocks_of(2 * BLOCK, 3 * BLOCK) == range(2, 3)


def test_text_that_is_no_checksums() -> None:
    for text in ("!", "AAA", "AAAA"):  # no base64; too short; three bytes
        with pytest.raises(ValueError, match=r"."):
            decoded(text)

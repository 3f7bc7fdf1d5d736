"""TensorFlow in a process that has used it before."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from app import backend
from app.options import MachineConfig
from app.ranks import Ranks


def test_devices_that_are_in_use_stay(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    tf = SimpleNamespace(config=SimpleNamespace(set_visible_devices=refuse))
    with caplog.at_level(logging.WARNING):
        backend._choose_device(tf, ["GPU:0"], MachineConfig(), Ranks())
    assert "its devices stay as they are" in caplog.text

"""Puts the shipped examples into the wheel; all else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = ("flagfiles", "slurm")
WITHIN = Path("app", "shipped")


class WithExamples(build_py):
    """The packages, and beside them what lies at the top of the repository."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        for folder in SHIPPED:
            target = Path(self.build_lib, WITHIN, folder)
            shutil.rmtree(target, ignore_errors=True)
            ignored = shutil.ignore_patterns("__pycache__", "*.nc")
            shutil.copytree(folder, target, ignore=ignored)


setup(cmdclass={"build_py": WithExamples})

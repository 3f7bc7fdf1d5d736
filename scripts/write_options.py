"""Write docs/options.md: every flag with its default, its values and its meaning.

python scripts/write_options.py
"""

from __future__ import annotations

from pathlib import Path

from app.options.reference import reference

FILE = Path(__file__).resolve().parents[1] / "docs" / "options.md"

if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
    print(f"wrote {FILE}")

"""Write the JSON schema of data descriptions, from which editors complete and check YAML files.

python scripts/write_data_schema.py
"""

from __future__ import annotations

import json
from pathlib import Path

from app.data.reading.yaml_keys import json_schema

FILE = Path(__file__).resolve().parents[1] / "flagfiles" / "data.schema.json"


def schema_text() -> str:
    """The file's content."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {FILE}")

"""python -m app"""

from app.console import console

console()

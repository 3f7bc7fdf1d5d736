"""python -m app"""

from app.main import console

console()

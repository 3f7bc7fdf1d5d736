"""Options of sbatch as lines of a script."""

import shlex

import pytest

from app.errors import InputError
from app.running.batch import directives


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["--time=1:00", "--requeue"]),
        ("--time=9:00", ["--requeue", "--time=9:00"]),
        ("-t 9:00", ["--requeue", "-t 9:00"]),
        ("-t9:00 --exclusive", ["--requeue", "-t9:00", "--exclusive"]),
        ("--requeue --mem 4G -p x", ["--time=1:00", "--requeue", "--mem 4G", "-p x"]),
        ("--comment='a \"b\" #c'", ["--time=1:00", "--requeue", "--comment='a \"b\" #c'"]),
    ],
)
def test_given_options_beat_the_defaults(options: str, expected: list[str]) -> None:
    lines = directives({"time": "1:00", "requeue": ""}, options).splitlines()
    assert lines == [f"#SBATCH {line}" for line in expected]


def test_a_line_holds_the_words_that_the_shell_would_give() -> None:
    options = "--partition='a b' --comment=\"it's\" --mail-user=x@y"
    words = [
        word
        for line in directives({}, options).splitlines()
        for word in shlex.split(line.removeprefix("#SBATCH "))
    ]
    assert words == shlex.split(options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("partition=x", "'partition=x' is no option"),
        ("--mem=4G extra", "'extra' is no option"),
        ("-p a b", "'b' is no option"),
        ("--comment='open", "No closing quotation"),
        ("--comment=a\\b", r"'\\\\' cannot stand"),
        ("--comment=a\nb", r"'\\n' cannot stand"),
    ],
)
def test_what_no_line_can_hold_is_refused(options: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        directives({}, options)

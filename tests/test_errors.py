"""Messages of libraries on one line, whole words only."""

from app.errors import InputError, one_line


def test_white_space_is_collapsed_and_short_messages_stay_whole():
    assert one_line(OSError("  NetCDF:\n\tHDF   error ")) == "NetCDF: HDF error"


def test_long_messages_end_at_a_word():
    words = [f"word{i:04d}" for i in range(100)]
    shown = one_line(ValueError(" ".join(words)))
    assert shown.endswith(" …")
    assert 285 <= len(shown) <= 302
    assert shown.removesuffix(" …").split(" ") == words[: len(shown.split(" ")) - 1]


def test_one_endless_word_is_not_cut():
    assert one_line(ValueError("x" * 500)) == "x" * 500


def test_messages_that_say_too_little_name_their_class():
    assert one_line(KeyError("shape")) == "KeyError: 'shape'"
    assert one_line(EOFError()) == "EOFError"


def test_our_own_lines_are_never_shortened():
    text = "what, where, " * 60
    assert one_line(InputError(text)) == text.strip()

"""Scripts by which bash, zsh and fish complete stages, flags and their values."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.options import FLAGS_BY_NAME
from app.options.option import Option
from app.options.words import COMMANDS, STAGES, SWEEP

STAGE_WORDS = (*STAGES, SWEEP, *COMMANDS)
BOOLEAN = ("true", "false")
FLAGS = (
    Option(None, "Flagfile, whose flags those of the command line beat", "flagfile", "text"),
    *FLAGS_BY_NAME.values(),
)

BASH = """\
# Completion of finescale in bash. For this shell: source <(finescale completion bash)
# For every one: finescale completion bash >~/.local/share/bash-completion/completions/finescale
_finescale() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" flag="" before="" values="" known=""
    ((COMP_CWORD > 0)) && before="${{COMP_WORDS[COMP_CWORD - 1]}}"
    if [[ "$word" == "=" ]]; then
        flag="$before" word=""
    elif [[ "$before" == "=" ]] && ((COMP_CWORD > 1)); then
        flag="${{COMP_WORDS[COMP_CWORD - 2]}}"
    elif [[ "$before" == --* ]]; then
        flag="$before" known=1
    fi
    case "$flag" in
{cases}
    esac
    if [[ -n "$values" ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$values" -- "$word")
    elif [[ -n "$flag" && -z "$known" ]]; then
        COMPREPLY=()
    elif [[ "$word" == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "{flags}" -- "$word")
        [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace
    else
        mapfile -t COMPREPLY < <(compgen -W "{stages}" -- "$word")
    fi
}}
complete -o default -F _finescale finescale
"""

ZSH = """\
#compdef finescale
# Completion of finescale in zsh. For this shell: source <(finescale completion zsh)
# For every one: finescale completion zsh >FOLDER/_finescale, in a folder of $fpath
_finescale_words() {{
    _alternative 'stages:stage:({stages})' 'files:file:_files'
}}
_finescale() {{
    _arguments \\
{specifications}
        '*:stage:_finescale_words'
}}
if [[ "$funcstack[1]" == _finescale ]]; then
    _finescale "$@"
else
    compdef _finescale finescale
fi
"""

FISH = """\
# Completion of finescale in fish. For this shell: finescale completion fish | source
# For every one: finescale completion fish >~/.config/fish/completions/finescale.fish
complete -c finescale -a "{stages}"
{lines}
"""


def bash() -> str:
    cases = [
        f'    --{flag.name}) values="{" ".join(_values(flag))}" ;;'
        for flag in FLAGS
        if _values(flag)
    ]
    flags = " ".join(name for flag in FLAGS for name in _spelled(flag))
    return BASH.format(cases="\n".join(cases), flags=flags, stages=" ".join(STAGE_WORDS))


def zsh() -> str:
    lines = []
    for flag in FLAGS:
        text = _shortened(flag.help).translate(str.maketrans("[]:'\\", "()  /"))
        if flag.kind == "bool":
            lines += [f"        '--{flag.name}[{text}]' \\", f"        '--no{flag.name}' \\"]
            continue
        action = f"({' '.join(_values(flag))})" if _values(flag) else "_files"
        lines.append(f"        '--{flag.name}=[{text}]:value:{action}' \\")
    return ZSH.format(specifications="\n".join(lines), stages=" ".join(STAGE_WORDS))


def fish() -> str:
    lines = []
    for flag in FLAGS:
        text = _shortened(flag.help).replace("\\", "/").replace("'", "’")
        line = f"complete -c finescale -l {flag.name} -d '{text}'"
        if flag.kind == "bool":
            lines += [line, f"complete -c finescale -l no{flag.name}"]
        elif _values(flag):
            lines.append(f"{line} -x -a '{' '.join(_values(flag))}'")
        else:
            lines.append(f"{line} -r")
    return FISH.format(lines="\n".join(lines), stages=" ".join(STAGE_WORDS))


SHELLS: dict[str, Callable[[], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _values(flag: Option) -> tuple[str, ...]:
    """What may stand behind a flag, where it can be listed."""
    return BOOLEAN if flag.kind == "bool" else flag.choices


def _spelled(flag: Option) -> Iterator[str]:
    """The ways in which a flag may begin."""
    if flag.kind == "bool":
        yield from (f"--{flag.name}", f"--no{flag.name}")
    else:
        yield f"--{flag.name}="


def _shortened(text: str) -> str:
    """The first sentence of a help, without its point."""
    return text.partition(". ")[0].removesuffix(".")

"""The command `sitqmc`. Each group of commands is a module of this folder; importing them is cheap."""

import argparse
import os
import sys
from collections.abc import Sequence

from sitqmc.progress import printed_messages
from sitqmc.runs.cli import film, inspect, prepare, reproduce, simulate, spectra, submit
from sitqmc.runs.errors import Stopped, UserError, WriteFailed
from sitqmc.runs.simulate.stop import STOPPED
from sitqmc.runs.simulate.threads import one_blas_thread
from sitqmc.runs.store.provenance import package_version

BAD_INPUT = 2
SHELLS = ("bash", "zsh", "fish")
PATHS = {
    "config", "configs", "covariance", "file", "film", "folder", "further", "normal", "output", "run", "scan",
    "sources", "tunnelling",
}  # fmt: skip
"""Arguments that are completed by the names of files."""

EPILOG = """\
a first run:
  sitqmc init my.toml          write a commented configuration, then edit it
  sitqmc plan my.toml          its cost and the biggest risk
  sitqmc run my.toml           simulate and analyse; the same command resumes after a stop or a kill
  sitqmc status my.toml        its progress, from another terminal
  sitqmc show my.toml rho_s p  a figure

exit status: 0 done, 1 failed, 2 bad input, 75 stopped with all work saved (start again), 130 interrupted
"""
GROUPS = (prepare, simulate, inspect, spectra, reproduce, submit, film)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0 done, 1 failed, 2 bad input, 75 stopped with all work saved (start again), 130 interrupted
    """
    one_blas_thread()
    arguments = _parser().parse_args(argv)
    try:
        with printed_messages():
            return int(arguments.command(arguments) or 0)
    except UserError as error:
        _say(error)
        return BAD_INPUT
    except Stopped as reason:
        _say(f"stopped ({reason}); all work is saved; the same command continues")
        return 130 if str(reason) == "signal SIGINT" else STOPPED
    except KeyboardInterrupt:
        _say("interrupted; checkpoints are saved, the same command continues")
        return 130
    except BrokenPipeError:                      # the reader has closed the pipe, as head does
        sys.stdout = open(os.devnull, "w")       # noqa: SIM115 - nothing may be flushed into the closed pipe
        return 1
    except (WriteFailed, RuntimeError) as error:
        _say(error)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sitqmc",
        description="Quantum Monte Carlo of the disorder-driven superconductor-insulator transition.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"sitqmc {package_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add_commands(commands)
    completion = commands.add_parser(
        "completion", help="completion of commands and options by tab",
        description="Print the completion script of a shell. bash: sitqmc completion bash > "
        "~/.local/share/bash-completion/completions/sitqmc; zsh: into a folder of $fpath as _sitqmc; "
        "fish: sitqmc completion fish > ~/.config/fish/completions/sitqmc.fish",
    )  # fmt: skip
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(command=_completion)
    return parser


def _completion(arguments: argparse.Namespace) -> int:
    import shtab

    parser = _parser()
    for command in parser._subparsers._group_actions[0].choices.values():  # type: ignore[union-attr]
        for action in command._actions:
            if action.dest in PATHS:
                action.complete = shtab.FILE
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _say(message: object) -> None:
    for line in str(message).splitlines():
        print(f"sitqmc: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Command line: `python -m roadgaze_desktop COMMAND`."""

import argparse
import importlib
import sys

COMMANDS = {
    "train": "train one network on one rendered set",
    "campaign": "work through a list of trainings in order of value",
    "export": "write a trained network as ONNX with its manifest",
    "pieces": "split files into small pieces, or join them",
    "goldens": "make the small reference files for the tests in Rust",
    "exports": "write graphs of torchvision, timm and MMPreTrain without weights, for the tests in Rust",
    "parity": "what PyTorch and Captum make of rendered pictures, for the tests in Rust",
    "quantization": "quantize with ONNX Runtime and compare with a file of `roadgaze calibrate`",
    "reference": "run PyTorch and Captum, or ONNX Runtime, over a rendered set, into a run store",
    "lease": "a quarter of an hour of a GPU: render, train and explain by one clock",
    "games": "record coalition outputs of pictures, for `roadgaze bench --estimators`",
}


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run; returns the exit code (0 done, 2 wrong usage or bad input)."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="roadgaze-desktop", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    # only the module that is asked for is imported: a GPU machine has neither onnx nor captum
    for name, text in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=text)
        if name in argv[:1]:
            module = importlib.import_module(f"roadgaze_desktop.{name}")
            module.add_arguments(sub)
            sub.set_defaults(execute=module.main)
    arguments = parser.parse_args(argv)
    try:
        return arguments.execute(arguments)
    except (ValueError, OSError) as error:
        print(f"roadgaze-desktop {arguments.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

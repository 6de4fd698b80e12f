"""Records what the installed `langgraph` does with every scenario.

    python record.py                 write graphs/*.expected.json
    python record.py --check         fail when a recording differs from what langgraph does now
    python record.py NAME...         only these scenarios

Needs: pip install -r requirements.txt
"""

import argparse
import faulthandler
import json
import pathlib
import sys

import sequential
from canonical import dump
from langgraph_runner import run

GRAPHS = pathlib.Path(__file__).with_name("graphs")
SECONDS_PER_SCENARIO = 60


def main():
    parser = argparse.ArgumentParser(description="record what langgraph does")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("names", nargs="*", help="scenario names; all by default")
    options = parser.parse_args()

    sequential.install()
    drifted = [path.stem for path in scenarios(options.names) if not record(path, options.check)]
    if drifted:
        print(f"{len(drifted)} recordings differ from langgraph's behaviour: {', '.join(drifted)}")
    return 1 if drifted else 0


def scenarios(names):
    """The scenario files, all or those of the given names."""
    paths = sorted(path for path in GRAPHS.glob("*.json") if not path.name.endswith(".expected.json"))
    return [path for path in paths if not names or path.stem in names]


def record(path, check):
    """Writes or checks one recording; False when it differs."""
    faulthandler.dump_traceback_later(SECONDS_PER_SCENARIO, exit=True)
    text = dump(run(path))
    faulthandler.cancel_dump_traceback_later()
    expected = path.with_suffix(".expected.json")
    if not check:
        expected.write_text(text)
        return True
    return expected.exists() and json.loads(expected.read_text()) == json.loads(text)


if __name__ == "__main__":
    sys.exit(main())

"""Runs every scenario on AgentWeaver and compares with the recording of LangGraph.

    python compare.py [--binary PATH] [--sqlite] [--all] [NAME...]

Prints the differences of each failing scenario and a summary line; exits with 1
when a scenario fails. Differences that are meant are listed with their reason in
deliberate.json; one that is listed and does not occur fails too.
Needs nothing but Python's standard library.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

from canonical import canonical

HERE = pathlib.Path(__file__).parent
GRAPHS = HERE / "graphs"
DELIBERATE = HERE / "deliberate.json"
SECONDS_PER_SCENARIO = 60
NOT_COMPARED = {"langgraph", "about"}
UNREADABLE = "unreadable"  # langgraph itself could not say
ABSENT = object()


def main():
    parser = argparse.ArgumentParser(description="compare AgentWeaver with recordings of LangGraph")
    parser.add_argument("--binary", default=HERE.parents[1] / "target" / "debug" / "agentweaver")
    parser.add_argument("--sqlite", action="store_true", help="keep checkpoints in SQLite, not in memory")
    parser.add_argument("--all", action="store_true", help="print every difference, not the first few")
    parser.add_argument("names", nargs="*", help="scenario names; all by default")
    options = parser.parse_args()

    names = sorted(path.name.removesuffix(".expected.json") for path in GRAPHS.glob("*.expected.json"))
    names = [name for name in names if not options.names or name in options.names]
    if not names:
        print("no scenario of that name has a recording")
        return 2
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(lambda name: differences(options.binary, name, options.sqlite), names))

    failed = [(name, found) for name, found in zip(names, outcomes) if found]
    for name, found in failed:
        print(f"FAILED {name}")
        shown = found if options.all else found[:8]
        print("".join(f"    {line}\n" for line in shown), end="")
        if len(shown) < len(found):
            print(f"    ... and {len(found) - len(shown)} more (--all)")
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def differences(binary, name, sqlite=False):
    """Sentences, one for each place where the outputs part; empty when they agree."""
    command = [str(binary), "__scenario", str(GRAPHS / f"{name}.json")] + ["--sqlite"] * sqlite
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_PER_SCENARIO)
    except subprocess.TimeoutExpired:
        return [f"no answer within {SECONDS_PER_SCENARIO} s"]
    except OSError as error:
        return [f"cannot run {binary}: {error}"]
    try:
        ours = canonical(json.loads(done.stdout))
    except json.JSONDecodeError:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        return [f"exit code {done.returncode}, no JSON: {' / '.join(said)}"]
    theirs = json.loads((GRAPHS / f"{name}.expected.json").read_text())
    return unexpected(name, list(walk("", theirs, ours)))


def unexpected(name, found):
    """What is not listed as deliberate, and what is listed but did not occur."""
    listed = json.loads(DELIBERATE.read_text()).get(name, {})
    met = {place for place in listed for line in found if line.startswith(place)}
    rest = [line for line in found if not any(line.startswith(place) for place in met)]
    gone = [f"{place}: listed in {DELIBERATE.name}, but there is no difference" for place in listed if place not in met]
    return rest + gone


def walk(place, expected, found):
    if expected == UNREADABLE:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted((expected.keys() | found.keys()) - NOT_COMPARED):
            yield from walk(f"{place}.{key}", expected.get(key, ABSENT), found.get(key, ABSENT))
    elif isinstance(expected, list) and isinstance(found, list):
        for index, (left, right) in enumerate(zip(expected, found)):
            yield from walk(f"{place}[{index}]", left, right)
        if len(expected) != len(found):
            yield f"{place}: expected {len(expected)} items, found {len(found)}"
    elif type(expected) is not type(found) or expected != found:
        yield f"{place}: expected {show(expected)}, found {show(found)}"


def show(value):
    if value is ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else text[:157] + "..."


if __name__ == "__main__":
    sys.exit(main())

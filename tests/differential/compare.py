"""Runs every scenario on AgentWeaver and compares with the recording of LangGraph.

    python compare.py [--binary PATH] [--sqlite] [--all] [NAME...]

Prints the differences of each failing scenario and a summary line; exits with 1
when a scenario fails. Differences that are meant are listed in deliberate.json, with
their reason and with what ours gives there: anything else at such a place fails, and
so does one that is listed and does not occur. `--note` writes what ours gives now to
the places that are listed.
Needs nothing but Python's standard library.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
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
    parser.add_argument("--note", action="store_true", help="note what ours gives at the listed places")
    parser.add_argument("names", nargs="*", help="scenario names; all by default")
    options = parser.parse_args()

    names = sorted(path.name.removesuffix(".expected.json") for path in GRAPHS.glob("*.expected.json"))
    names = [name for name in names if not options.names or name in options.names]
    if not names:
        print("no scenario of that name has a recording")
        return 2
    if options.note:
        return note(options.binary, names)
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
    ours, wrong = output(binary, name, sqlite)
    if wrong:
        return [wrong]
    theirs = json.loads((GRAPHS / f"{name}.expected.json").read_text())
    listed = json.loads(DELIBERATE.read_text()).get(name, {})
    found = list(walk("", theirs, ours, listed))
    return found + [place for place in map(unmet(theirs, ours), listed.items()) if place]


def output(binary, name, sqlite=False):
    """What our binary prints for a scenario, canonical, or a sentence why it printed nothing."""
    command = [str(binary), "__scenario", str(GRAPHS / f"{name}.json")] + ["--sqlite"] * sqlite
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_PER_SCENARIO)
    except subprocess.TimeoutExpired:
        return None, f"no answer within {SECONDS_PER_SCENARIO} s"
    except OSError as error:
        return None, f"cannot run {binary}: {error}"
    try:
        return canonical(json.loads(done.stdout)), None
    except json.JSONDecodeError:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        return None, f"exit code {done.returncode}, no JSON: {' / '.join(said)}"


def unmet(theirs, ours):
    """Of a listed difference, a sentence when it does not occur."""

    def check(item):
        place, _ = item
        if at(theirs, place) == at(ours, place):
            return f"{place}: listed in {DELIBERATE.name}, but there is no difference"
        return None

    return check


def note(binary, names):
    """Notes what ours gives at the listed places."""
    listed = json.loads(DELIBERATE.read_text())
    for name in set(names) & listed.keys():
        ours, wrong = output(binary, name)
        if wrong:
            print(f"{name}: {wrong}")
            return 1
        for place, entry in listed[name].items():
            found = at(ours, place)
            entry.pop("ours", None)
            if found is not ABSENT:
                entry["ours"] = found
    DELIBERATE.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n")
    return 0


def at(value, place):
    """What stands at a place such as `.ops[2].error`."""
    for key, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", place):
        try:
            value = value[key] if key else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return value


def walk(place, expected, found, listed):
    if expected == UNREADABLE:
        return
    if place in listed and expected != found:
        expected = listed[place].get("ours", ABSENT)
        listed = {}
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted((expected.keys() | found.keys()) - NOT_COMPARED):
            yield from walk(f"{place}.{key}", expected.get(key, ABSENT), found.get(key, ABSENT), listed)
    elif isinstance(expected, list) and isinstance(found, list):
        for index, (left, right) in enumerate(zip(expected, found)):
            yield from walk(f"{place}[{index}]", left, right, listed)
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

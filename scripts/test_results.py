#!/usr/bin/env python3
"""Counts the test cases that `meson test` ran in the build folders named as arguments.

Names every case that failed, then prints one closing line, 'N passed, N failed'. A test program that
failed without a failed case (a crash, a sanitizer's report, a timeout) counts as one failed case; so
does a folder without results. An argument that is such a line itself, another script's, is added. Skipped cases are told apart and counted in neither. Exit 1 if any failed.
"""
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as xml


def cases_of(report):
    """(program, case, 'passed' | 'failed' | 'skipped') of each suite "PROJECT.PROGRAM.SUITE" in a JUnit file."""
    for suite in xml.parse(report).getroot().iter("testsuite"):
        names = suite.get("name").split(".", 2)
        if len(names) < 3:
            continue  # a program that left no cases
        for case in suite.findall("testcase"):
            outcome = "passed"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome = "failed"
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                outcome = "skipped"
            yield names[1], f'{names[2]}.{case.get("name")}', outcome


def results_of(folder):
    logs = pathlib.Path(folder) / "meson-logs"
    # meson names its logs after a test wrapper, if there is one: testlog-setarch.json
    report = next(logs.glob("testlog*.junit.xml"), logs / "testlog.junit.xml")
    programs = next(logs.glob("testlog*.json"), logs / "testlog.json")
    if not report.exists() or not programs.exists():
        return [(folder, "", "no results: the tests did not run", "failed")]
    found = [(folder, *result) for result in cases_of(report)]
    for line in programs.read_text().splitlines():
        program = json.loads(line)
        name, passed = program["name"], program["result"] in ("OK", "SKIP", "EXPECTEDFAIL")
        outcomes = {outcome for _, owner, _, outcome in found if owner == name}
        if not passed and "failed" not in outcomes:
            found.append((folder, name, f'{program["result"]}, exit {program.get("returncode")}', "failed"))
        elif passed and not outcomes:
            found.append((folder, name, "has no cases", "passed" if program["result"] != "SKIP" else "skipped"))
    return found


def main():
    lines = [re.fullmatch(r"(\d+) passed, (\d+) failed", word) for word in sys.argv[1:]]
    results = [result for word, line in zip(sys.argv[1:], lines) if not line for result in results_of(word)]
    for outcome in ("skipped", "failed"):
        for folder, program, case, had in results:
            if had == outcome:
                print(f"{outcome}: {folder}: {program}: {case}")
    count = {outcome: sum(had == outcome for *_, had in results) for outcome in ("passed", "failed")}
    count["passed"] += sum(int(line[1]) for line in lines if line)
    count["failed"] += sum(int(line[2]) for line in lines if line)
    print(f'{count["passed"]} passed, {count["failed"]} failed')
    return 1 if count["failed"] or not results else 0


sys.exit(main())

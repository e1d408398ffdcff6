#!/usr/bin/env python3
"""Counts the test cases that `meson test` ran in the build folders named as arguments.

Names every case that failed, then prints one closing line, 'N passed, N failed'. A test program that
failed without a failed case (a crash, a sanitizer's report, a timeout) counts as one failed case; so
does a folder without results. Skipped cases are told apart and counted in neither. Exit 1 if any failed.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as xml


def cases_of(report):
    """(program, case, 'passed' | 'failed' | 'skipped') of a JUnit file."""
    for suite in xml.parse(report).getroot().iter("testsuite"):
        for case in suite.findall("testcase"):
            outcome = "passed"
            if case.find("failure") is not None or case.find("error") is not None:
                outcome = "failed"
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                outcome = "skipped"
            yield suite.get("name"), f'{case.get("classname", "")}.{case.get("name")}', outcome


def results_of(folder):
    logs = pathlib.Path(folder) / "meson-logs"
    report, programs = logs / "testlog.junit.xml", logs / "testlog.json"
    if not report.exists() or not programs.exists():
        return [(folder, "no results: the tests did not run", "failed")]
    found = [(f"{folder}: {program}", case, outcome) for program, case, outcome in cases_of(report)]
    failed_in = {program for program, _, outcome in found if outcome == "failed"}
    for line in programs.read_text().splitlines():
        program = json.loads(line)
        name = program["name"].split("/")[-1].split(":")[-1].strip()
        known = any(name in failed.split("/")[-1] for failed in failed_in)
        if program["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and not known:
            found.append((folder, f'{name}: {program["result"]}, exit {program.get("returncode")}', "failed"))
    return found


def main():
    results = [result for folder in sys.argv[1:] for result in results_of(folder)]
    for outcome in ("skipped", "failed"):
        for where, case, had in results:
            if had == outcome:
                print(f"{outcome}: {where}: {case}")
    count = {outcome: sum(had == outcome for _, _, had in results) for outcome in ("passed", "failed")}
    print(f'{count["passed"]} passed, {count["failed"]} failed')
    return 1 if count["failed"] or not results else 0


sys.exit(main())

"""Runs the cases of a module and prints a line for each: "PASS name" or "FAIL name", the latter followed by its traceback."""
import atexit
import json
import os
import sys
import time
import traceback
import urllib.request
from contextlib import closing, contextmanager

import ovirtsdk4 as sdk

PRIMARY, SECONDARY = "PRIMARY", "SECONDARY"
cases = []


def case(function):
    cases.append(function)
    return function


def open_connection(site=PRIMARY, **other):
    options = dict(url=os.environ["LAB_%s_URL" % site], username=os.environ["LAB_%s_USERNAME" % site],
                   password=os.environ["LAB_%s_PASSWORD" % site], ca_file=os.environ["LAB_%s_CA" % site])
    options.update(other)
    return sdk.Connection(**options)


@contextmanager
def connect(site=PRIMARY, **other):
    with closing(open_connection(site, **other)) as connection:
        yield connection


def kept(site=PRIMARY):
    """A connection that is closed when the program ends."""
    connection = open_connection(site)
    atexit.register(connection.close)
    return connection


def control(path, body=None):
    """Asks the lab's control API: what happens to a site or its storage from outside of the engine."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(os.environ["LAB_CONTROL"] + path, data)) as answer:
        return json.load(answer)


def wait_for(question, what, seconds=120):
    """Asks until the answer is true; seconds are those of the lab."""
    for _ in range(seconds):
        answer = question()
        if answer:
            return answer
        time.sleep(1)
    raise AssertionError("still not: " + what)


def only(things, **attributes):
    """The one of a list that has these attributes."""
    found = [thing for thing in things if all(getattr(thing, name) == value for name, value in attributes.items())]
    if len(found) != 1:
        raise AssertionError("%d of %d have %r" % (len(found), len(things), attributes))
    return found[0]


def equal(got, want, what=""):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


@contextmanager
def refused(code, fragment=""):
    """Wants the engine to refuse with an HTTP status, and with a text in the fault's detail."""
    try:
        yield
    except sdk.Error as error:
        equal(error.code, code, str(error))
        if fragment and fragment not in str(error):
            raise AssertionError("the fault does not say %r: %s" % (fragment, error))
    else:
        raise AssertionError("the engine did not refuse")


@contextmanager
def answered_with_a_page():
    """Wants an answer that is no document of the API: the SDK then tells only that."""
    try:
        yield
    except sdk.Error as error:
        if "text/html" not in str(error):
            raise
    else:
        raise AssertionError("the engine did not refuse")


def main():
    failed = 0
    for function in cases:
        try:
            function()
            print("PASS " + function.__name__)
        except Exception:  # a case may fail in any way, the others still run
            failed += 1
            print("FAIL " + function.__name__)
            print("".join("  " + line for line in traceback.format_exc().splitlines(True)))
    sys.exit(1 if failed else 0)

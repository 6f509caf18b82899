"""Python imports this by itself when it starts. It is the network and the clock of a client that knows nothing of a lab: names of
engines lead to the lab's sockets, and long sleeps pass as fast as the lab's time. With INTEROP_TIMEOUTS what a sleep skipped counts: a
client that sleeps until its patience ends does not wait for the wall's clock."""
import os
import time

connect = [c for c in os.environ.get("INTEROP_CONNECT", "").split(",") if c]
speed = float(os.environ.get("INTEROP_SPEED", "1"))

if speed > 1:
    sleep = time.sleep
    clock, skipped = time.time, [0.0]

    def short(seconds):
        if seconds < 0.5:
            return sleep(seconds)
        sleep(seconds / speed)
        skipped[0] += seconds - seconds / speed

    time.sleep = short
    if os.environ.get("INTEROP_TIMEOUTS"):
        time.time = lambda: clock() + skipped[0]

if connect:
    try:
        import pycurl
    except ImportError:  # another Python: a build of a package
        pycurl = None
    if pycurl:
        curl = pycurl.Curl

        def redirected():
            handle = curl()
            handle.setopt(pycurl.CONNECT_TO, connect)
            return handle

        pycurl.Curl = redirected

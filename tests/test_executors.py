"""The same work in one process, in several and on a cluster, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from uhcs_bench import executors
from uhcs_bench.errors import MissingPackageError, SubmissionError


def square(x):
    if x < 0:
        raise ValueError(f"{x} is negative")
    return x * x


def square_slowly(x):
    time.sleep(0.05)
    return square(x)


def square_or_die(x):
    if x == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


def results(function, tasks, pool):
    return sorted(executors.unordered(function, tasks, pool), key=lambda pair: pair[0])


@pytest.mark.parametrize("pool", [executors.this_process(), executors.processes(2)])
def test_each_task_is_done_once(pool):
    """Check that every result comes with its task, and exceptions beside them."""
    found = results(square, [3, -1, *range(4, 30)], pool)
    task, error = found.pop(0)
    assert (task, type(error), str(error)) == (-1, ValueError, "-1 is negative")
    assert found == [(x, x * x) for x in range(3, 30)]


def test_nothing_to_do():
    """Check that no executor is opened for it."""
    assert list(executors.unordered(square, [], executors.cluster("tcp://nowhere:1"))) == []


@pytest.mark.slow
def test_only_the_task_that_kills_its_process_fails():
    """Check that a process killed by one task costs no other its result, with and after it."""
    found = dict(results(square_or_die, range(20), executors.processes(2)))
    error = found.pop(13)
    assert isinstance(error, executors.WorkerLostError)
    assert "killed" in str(error)
    assert found == {x: x * x for x in range(20) if x != 13}


def refuse(x):
    if x == 21:
        raise SubmissionError("preds", [f"{x}.png is empty"])
    return -x


@pytest.mark.slow
def test_results_come_in_the_order_of_the_tasks():
    """Check two processes against this one, and the error that a task raises there."""
    tasks = [*range(2 * executors.TASKS_WORTH_A_WORKER)]
    assert executors.in_order(square, tasks, workers=2) == [x * x for x in tasks]
    for workers in (1, 2):
        with pytest.raises(SubmissionError, match=r"21\.png is empty"):
            executors.in_order(refuse, tasks, workers)
    with pytest.raises(
        executors.WorkerLostError, match=r"Task 14 of 40 .* fewer workers\. Nothing"
    ):
        executors.in_order(square_or_die, tasks, workers=2)


def test_few_tasks_are_handed_out_at_a_time():
    """Check that no more are taken from the list than may be held."""

    class Counting(type(executors.this_process().open())):
        n_submitted = 0

        def submit(self, fn, /, *args, **kwargs):
            Counting.n_submitted += 1
            return super().submit(fn, *args, **kwargs)

    pool = executors.Pool(Counting, lambda _: 3)
    running = executors.unordered(square, range(100), pool)
    for n_taken in range(1, 20):
        next(running)
        assert Counting.n_submitted <= n_taken + 3
    running.close()


def test_a_run_that_is_dropped_waits_for_nothing_new():
    """Check that closing half way ends the pool's processes."""
    running = executors.unordered(square, range(1000), executors.processes(1))
    next(running)
    start = time.monotonic()
    running.close()
    assert time.monotonic() - start < 60


def test_absent_scheduler(monkeypatch):
    """Check the message, which says how to start one."""
    monkeypatch.setattr(executors, "CONNECT_S", 0.2)
    with pytest.raises(executors.ClusterError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"):
        results(square, [1], executors.cluster("tcp://127.0.0.1:9"))


@pytest.mark.parametrize(
    "address",
    ["nonsense", "foo://10.0.0.1:1", "tcp://10.0.0.1", "inproc://1/2/3", "tls://10.0.0.1:8786", ""],
)
def test_addresses_that_can_not_be(monkeypatch, address):
    """Check that no client is begun, which would complain when Python ends."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("was begun"))
    with pytest.raises(executors.ClusterError, match=f"no Dask scheduler at {address} "):
        results(square, [1], executors.cluster(address))


@pytest.mark.slow
def test_a_cluster_that_goes_away(tmp_path):
    """Check that a lost scheduler ends the run with one message, after what was done."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1,
        processes=False,
        protocol="tcp://",
        dashboard_address=None,
        local_directory=tmp_path,
    ) as cluster:
        pool = executors.cluster(cluster.scheduler_address)
        running = executors.unordered(square_slowly, range(1000), pool)
        assert next(running)[1] is not None
        cluster.close()
        with pytest.raises(executors.ClusterError, match="went away"):
            list(running)


def test_missing_library(monkeypatch):
    """Check that the message names the extra."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'uhcs-bench\[cluster\]'"):
        results(square, [1], executors.cluster("tcp://127.0.0.1:9"))


@pytest.fixture
def listener():
    """A server that answers each connection with given bytes, and then is silent."""
    with contextlib.ExitStack() as stack:

        def listen(answer):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        connection = stack.enter_context(server.accept()[0])
                        connection.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            return f"tcp://127.0.0.1:{server.getsockname()[1]}"

        yield listen


@pytest.mark.parametrize("answer", [b"", b"\1", b"HTTP/1.0 400 Bad Request\r\n\r\n"])
def test_what_listens_may_be_no_scheduler(listener, monkeypatch, answer):
    """Check something silent, something that begins and stops, and a web server."""
    pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "CONNECT_S", 2)
    with pytest.raises(executors.ClusterError, match="no Dask scheduler at"):
        results(square, [1], executors.cluster(listener(answer)))


def other_code():
    """Make a worker say that it has other code."""
    from uhcs_bench.io import installed_code

    installed_code.version_and_hash = lambda: "0.0.9+old"


@pytest.mark.slow
def test_clusters_that_can_not_be_used(monkeypatch, tmp_path):
    """Check one without workers, and one with a worker of another version, which is named."""
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(executors, "CONNECT_S", 5)
    settings = {"processes": True, "dashboard_address": None, "local_directory": tmp_path}
    with distributed.LocalCluster(n_workers=0, threads_per_worker=1, **settings) as cluster:
        pool = executors.cluster(cluster.scheduler_address)
        with pytest.raises(executors.ClusterError, match="has no workers, and none came within"):
            results(square, [1], pool)
        cluster.scale(1)
        with distributed.Client(cluster) as client:
            client.wait_for_workers(1, timeout=120)
            (worker,) = client.run(other_code)
        with pytest.raises(executors.ClusterError, match=rf"Worker {worker} has version 0\.0\.9"):
            results(square, [1], pool)

"""Deposits on a local server: their files, and entries that name them."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import tifffile
from PIL import Image

from tests.helpers import fault_server
from uhcs_bench.data.registry import Deposit

_, COLUMNS = fault_server.SHAPE


def decoded(content):
    return np.array(Image.open(io.BytesIO(content)))


def tif(array):
    stream = io.BytesIO()
    tifffile.imwrite(stream, array)
    return stream.getvalue()


def with_data_bar(array):
    return np.vstack([array.astype(np.int64), np.full((38, COLUMNS), -1)])


def deposit_members(pixels):
    """Files as in the deposit: label maps of 64-bit integers with a data bar, a readme."""
    members = {"particles/": b"", "particles/README.txt": b"read me"}
    for name, array in pixels.items():
        number, kind = name.strip("/").removesuffix(".png").split("/")
        folder = "images" if kind == "image" else "labels"
        content = tif(array if kind == "image" else with_data_bar(array))
        members[f"particles/{folder}/specimen{number}.tif"] = content
    return members


def with_deposits(server, *deposits):
    return [dataclasses.replace(entry, deposits=deposits) for entry in server.entries]


def base(server):
    return f"http://127.0.0.1:{server.server_port}"


def zip_deposit(server, content, blob=None):
    server.files["/deposit.zip"] = content
    url = f"{base(server)}/deposit.zip"
    return Deposit("zip", url, 1_000_000, blob or fault_server.git_blob(content))

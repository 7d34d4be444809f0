"""A Qdrant server for tests on this machine: Qdrant's REST calls, answered by its in-memory client, and written down.

Does not do what only a real server does: shards, replicas, codes and graphs are noted and told again, not made.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from qdrant_client import QdrantClient, models

VERSION = "1.18.0"
DONE = {"operation_id": 0, "status": "completed"}
MADE_OF = {"shard_number": 1, "replication_factor": 1, "write_consistency_factor": 1, "on_disk_payload": True}

Body = dict[str, Any]


@dataclass
class Server:
    """What was asked, as (method, path, body); and who answers."""

    address: str = ""
    asked: list[tuple[str, str, Body]] = field(default_factory=list)
    _client: QdrantClient = field(default_factory=lambda: QdrantClient(":memory:"))
    _made: dict[str, Body] = field(default_factory=dict)
    _indexes: dict[str, dict[str, str]] = field(default_factory=dict)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    @property
    def names(self) -> list[str]:
        """The collections that are there."""
        return sorted(one.name for one in self._client.get_collections().collections)

    def bodies(self, method: str, path: str) -> list[Body]:
        """What was sent in requests of this kind; `path` is a pattern for all of it."""
        return [body for kind, at, body in self.asked if kind == method and re.fullmatch(path, at)]

    def answer(self, method: str, path: str, body: Body) -> tuple[int, Any]:
        """Status and document."""
        if (method, path) == ("GET", "/"):
            return 200, {"title": "qdrant", "version": VERSION}
        self.asked.append((method, path, body))
        _, _, name, *rest = path.split("/")
        of = rest[1:] if rest[:1] == ["vectors"] else []  # the only call with a name behind it
        what = "vectors" if of else "/".join(rest)
        with self._one_at_a_time:
            if (method, what) not in {("GET", "exists"), ("PUT", ""), ("DELETE", "")} and name not in self.names:
                return 404, {"status": {"error": f"Not found: Collection `{name}` doesn't exist!"}}
            result = _CALLS[method, what](self, name, body, *of)
        return 200, {"result": result, "status": "ok", "time": 0.0}

    def exists(self, name: str, _body: Body) -> Body:
        return {"exists": name in self.names}

    def create(self, name: str, body: Body) -> bool:
        given = models.CreateCollection.model_validate(body)
        self._client.create_collection(name, given.vectors or {}, given.sparse_vectors)
        self._made[name], self._indexes[name] = body, {}
        return True

    def change(self, name: str, body: Body) -> bool:
        given = models.UpdateCollection.model_validate(body)
        self._client.update_collection(name, vectors_config=given.vectors)
        self._made[name] |= body.get("params", {})
        return True

    def told(self, name: str, _body: Body) -> Body:
        info: Body = self._client.get_collection(name).model_dump(mode="json")
        info["config"]["params"] |= {key: self._made[name].get(key) or value for key, value in MADE_OF.items()}
        info["payload_schema"] = {key: {"data_type": kind, "points": 0} for key, kind in self._indexes[name].items()}
        return info

    def drop(self, name: str, _body: Body) -> object:
        return self._client.delete_collection(name)

    def index(self, name: str, body: Body) -> Body:
        self._indexes[name][body["field_name"]] = body["field_schema"]
        return DONE

    def vector(self, name: str, body: Body, vector: str) -> Body:
        self._client.create_vector_name(name, unquote(vector), models.DenseVectorNameConfig.model_validate(body))
        return DONE

    def upsert(self, name: str, body: Body) -> Body:
        given = models.PointsList.model_validate(body)
        self._client.upsert(name, given.points, update_filter=given.update_filter, update_mode=given.update_mode)
        return DONE

    def update_vectors(self, name: str, body: Body) -> Body:
        self._client.update_vectors(name, [models.PointVectors.model_validate(one) for one in body["points"]])
        return DONE

    def update_payload(self, name: str, body: Body) -> Body:
        given = models.SetPayload.model_validate(body)
        self._client.set_payload(name, given.payload, given.points or [])
        return DONE

    def delete_vectors(self, name: str, body: Body) -> Body:
        self._client.delete_vectors(name, body["vector"], models.FilterSelector(filter=body["filter"]))
        return DONE

    def delete(self, name: str, body: Body) -> Body:
        self._client.delete(name, models.FilterSelector.model_validate(body))
        return DONE

    def query(self, name: str, body: Body) -> list[Body]:
        asked = [one | {"params": None} for one in body["searches"]]  # in memory every search is exact
        found = self._client.query_batch_points(name, [models.QueryRequest(**one) for one in asked])
        return [one.model_dump(mode="json") for one in found]

    def scroll(self, name: str, body: Body) -> Body:
        asked = models.ScrollRequest.model_validate(body)
        found, after = self._client.scroll(
            name,
            scroll_filter=asked.filter,
            limit=asked.limit or 10,
            offset=asked.offset,
            with_payload=asked.with_payload if asked.with_payload is not None else True,
            with_vectors=asked.with_vector or False,
        )
        return {"points": [one.model_dump(mode="json") for one in found], "next_page_offset": after}

    def count(self, name: str, body: Body) -> Body:
        asked = models.CountRequest.model_validate(body)
        return {"count": self._client.count(name, asked.filter, exact=True).count}

    def facet(self, name: str, body: Body) -> object:
        asked = models.FacetRequest.model_validate(body)
        found = self._client.facet(name, asked.key, asked.filter, asked.limit or 10, exact=True)
        return found.model_dump(mode="json")


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("GET", "exists"): Server.exists,
    ("GET", ""): Server.told,
    ("PUT", ""): Server.create,
    ("PATCH", ""): Server.change,
    ("DELETE", ""): Server.drop,
    ("PUT", "index"): Server.index,
    ("PUT", "vectors"): Server.vector,
    ("PUT", "points"): Server.upsert,
    ("PUT", "points/vectors"): Server.update_vectors,
    ("POST", "points/payload"): Server.update_payload,
    ("POST", "points/vectors/delete"): Server.delete_vectors,
    ("POST", "points/delete"): Server.delete,
    ("POST", "points/query/batch"): Server.query,
    ("POST", "points/scroll"): Server.scroll,
    ("POST", "points/count"): Server.count,
    ("POST", "facet"): Server.facet,
}


@contextmanager
def serving() -> Iterator[Server]:
    """A server at an address of this machine, for as long as it is needed."""
    server = Server()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _one(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            try:
                status, document = server.answer(self.command, urlsplit(self.path).path, body)
            except ValueError as exc:  # as the in-memory client refuses, and pydantic
                status, document = 400, {"status": {"error": str(exc)}}
            told = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(told)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _one  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    server.address = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def main() -> None:
    """`python -m tests.stores.qdrant_rest`: serve until the end of input, for a suite that is told QDRANT_URL."""
    import sys

    with serving() as server:
        sys.stdout.write(server.address + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()

"""The tables of a batch: a row for each row of the manifest, as Parquet and as JSON lines, and a summary. They appear whole."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from utils.cluster.plan import Plan
from utils.cluster.storage import Store

RESULTS, SUMMARY = "results", "summary.json"
ROWS_AT_ONCE = 4096
STEM = pa.struct({"stem": pa.string(), "path": pa.string(), "sha256": pa.string(), "size_bytes": pa.int64()})
ERROR = pa.struct(
    {
        "code": pa.string(),
        "message": pa.string(),
        "hint": pa.string(),
        "field": pa.string(),
        "put_aside_after": pa.int64(),
    }
)
COLUMNS = pa.schema(
    {
        "row": pa.int64(),
        "place": pa.string(),
        "input": pa.string(),
        "status": pa.string(),  # done, failed, invalid, or not_done
        "kept": pa.bool_(),  # done by an earlier run, or by another row
        "tries": pa.int64(),
        "model": pa.string(),
        "licence": pa.string(),
        "settings": pa.string(),  # JSON of the row's request
        "used": pa.string(),  # JSON of what the worker made of it
        "stems": pa.list_(STEM),
        "input_sha256": pa.string(),
        "input_bytes": pa.int64(),
        "key": pa.string(),
        "duration_s": pa.float64(),
        "fetch_s": pa.float64(),
        "separate_s": pa.float64(),
        "store_s": pa.float64(),
        "device": pa.string(),
        "where": pa.string(),
        "finished": pa.float64(),
        "warnings": pa.list_(pa.string()),
        "error": ERROR,
    }
)


def table_rows(plan: Plan, licence_of: Callable[[str], str | None]) -> Iterator[dict[str, Any]]:
    """The rows of the tables, in the manifest's order."""
    for number, place, url, state, tries, result in plan.ended():
        seconds = result.get("seconds", {})
        settings = result.get("asked", {})
        model = result.get("model") or settings.get("model")
        yield {
            "row": number,
            "place": place,
            "input": url,
            "status": state if state in ("done", "failed", "invalid") else "not_done",
            "kept": bool(result.get("kept")),
            "tries": tries,
            "model": model,
            "licence": licence_of(model) if model else None,
            "settings": json.dumps(settings, sort_keys=True),
            "used": json.dumps(result.get("settings", {}), sort_keys=True),
            "stems": result.get("files", []),
            "input_sha256": result.get("input_sha256"),
            "input_bytes": result.get("input_bytes"),
            "key": result.get("key"),
            "duration_s": result.get("duration"),
            **{f"{name}_s": seconds.get(name) for name in ("fetch", "separate", "store")},
            "device": result.get("device"),
            "where": result.get("where"),
            "finished": result.get("finished"),
            "warnings": result.get("warnings", []),
            "error": result.get("error"),
        }


def write_tables(plan: Plan, store: Store, licence_of: Callable[[str], str | None]) -> None:
    """Write both tables, a few thousand rows at a time."""
    with tempfile.TemporaryDirectory(prefix="dsu-tables-") as folder:
        lines, table = Path(folder, f"{RESULTS}.jsonl"), Path(folder, f"{RESULTS}.parquet")
        with (
            lines.open("w", encoding="utf-8") as file,
            parquet.ParquetWriter(table, COLUMNS, compression="zstd") as writer,
        ):
            rows: list[dict[str, Any]] = []
            for row in table_rows(plan, licence_of):
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                rows.append(row)
                if len(rows) == ROWS_AT_ONCE:
                    writer.write_table(pa.Table.from_pylist(rows, COLUMNS))
                    rows.clear()
            writer.write_table(pa.Table.from_pylist(rows, COLUMNS))
        for path in (lines, table):
            store.put(path, path.name)


def write_summary(store: Store, summary: dict[str, Any]) -> None:
    store.write(SUMMARY, json.dumps(summary, indent=2).encode() + b"\n")

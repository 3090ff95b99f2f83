"""What a person sees of the demo: one row per request, then the verdict on the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from governance.audit.verify import Verdict
    from sidecar.demo.run import Seen

_COLOURS = {"allow": "green", "allow_modified": "yellow", "deny": "red"}
_EXCERPT = 90


def outcome(
    console: Console,
    seen: Sequence[Seen],
    records: Mapping[str, dict[str, Any]],
    verdict: Verdict,
    *,
    as_json: bool,
) -> None:
    """Prints the table, or with `as_json` one JSON line per request and one for the log."""
    if as_json:
        for entry in seen:
            print(orjson.dumps(_row(entry, records.get(entry.decision_id, {}))).decode())
        print(
            orjson.dumps(
                {"log": "verified" if verdict.ok else "damaged", "records": sum(log.records for log in verdict.logs)}
            ).decode()
        )
        return
    table = Table(title="What became of each request", title_justify="left", show_lines=True)
    for name in ("request", "found", "decided by", "action", "the node received", "served by", "audit"):
        table.add_column(name, overflow="fold")
    for entry in seen:
        row = _row(entry, records.get(entry.decision_id, {}))
        colour = _COLOURS.get(row["action"], "white")
        table.add_row(
            f"{escape(entry.step.title)}\n[dim]{escape(entry.step.model)}[/]",
            escape(row["found"]),
            escape(row["decided_by"]),
            f"[{colour}]{row['action']}[/]\n{row['status']} {escape(row['code'])}",
            escape(row["received"]),
            escape(row["served_by"]),
            row["audit"],
        )
    console.print(table)
    colour, word = ("green", "verified") if verdict.ok else ("red", "damaged")
    console.print(
        f"[{colour}]audit log {word}[/]: {sum(log.records for log in verdict.logs)} records, no gap in the sequence, every checksum holds"
    )


def instructions(console: Console, *, port: int, admin: int, directory: str) -> None:
    """How to talk to what `--keep` left running."""
    base = f"http://127.0.0.1:{port}/v1"
    console.print(
        f"""
[bold]Ringfence keeps running.[/] Stop it with Ctrl-C.

curl -si {base}/chat/completions -H 'content-type: application/json' \\\\
  -d '{{"model": "demo-small", "messages": [{{"role": "user", "content": "write to anna.schmidt@example.com"}}]}}'

from openai import OpenAI
client = OpenAI(base_url="{base}", api_key="demo")
client.chat.completions.create(model="demo-small", messages=[{{"role": "user", "content": "hello"}}])

health   curl -s http://127.0.0.1:{admin}/readyz      metrics  curl -s http://127.0.0.1:{admin}/metrics
records  ringfence audit show {directory}/var/audit
""",
        highlight=False,
    )


def _row(entry: Seen, record: dict[str, Any]) -> dict[str, str]:
    served = record.get("outcome", {})
    rules = record.get("policy", {}).get("rules", [])
    winners = [rule for rule in rules if not rule.startswith("baseline/")]
    return {
        "request": entry.step.title,
        "model": entry.step.model,
        "found": _found(record),
        "decided_by": "\n".join(winners or rules or [record.get("code", "")]),
        "action": record.get("action", "?"),
        "status": str(entry.status),
        "code": entry.answer if entry.status >= 400 else "",
        "received": "\n".join(f"{node}: {_excerpt(raw)}" for node, raw in entry.received) or "nothing",
        "served_by": f"{served['node']} ({served['country']})" if served.get("status") == "served" else "nobody",
        "audit": f"#{record.get('seq', '?')}",
        "decision_id": entry.decision_id,
    }


def _found(record: dict[str, Any]) -> str:
    rows = [f"{row['type']} x{row['n']}" for row in record.get("findings", [])]
    labels = [f"label {name}" for name in record.get("labels", [])]
    places = [f"subject in {code}" for code in record.get("jurisdictions", [])]
    unread = [f"not read: {name}" for name in record.get("uninspected", [])]
    return "\n".join(rows + labels + places + unread) or "-"


def _excerpt(raw: bytes) -> str:
    content = orjson.loads(raw)["messages"][-1]["content"]
    text = content if isinstance(content, str) else " + ".join(part["type"] for part in content)
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "..."

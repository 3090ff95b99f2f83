"""What a person sees of the demo: one row per request, then the verdicts on the requests and on the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from rich.box import HORIZONTALS
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from governance.audit.verify import Verdict
    from sidecar.demo.run import Seen

_COLOURS = {"passed": "green", "redacted": "yellow", "pinned": "yellow", "refused": "red", "not served": "red"}
_PLACEHOLDER = re.compile(r"<[A-Z_]+_\d+>")
_EXCERPT = 160
_WIDE = 150
# `personal_data_third_country`, the longest name in the library.
_POLICY_WIDTH = 27

Row = dict[str, Any]


def row(entry: Seen, record: dict[str, Any] | None, differences: Sequence[str]) -> Row:
    """What became of one request, as JSON values. `unexpected` is empty when it ended as the script says."""
    record = record or {}
    outcome = record.get("outcome", {})
    served = {key: outcome[key] for key in ("node", "country", "tier")} if outcome.get("status") == "served" else None
    return {
        "request": entry.step.title,
        "model": entry.step.model,
        "found": _found(record),
        "rules": record.get("policy", {}).get("rules", []),
        "action": record.get("action", ""),
        "verdict": _verdict(record, served),
        "status": entry.status,
        "code": entry.code,
        "may_go_to": (record.get("route") or {}).get("allowed", []),
        "received": [{"node": node, "text": _excerpt(_text(raw))} for node, raw in entry.received],
        "untouched": list(entry.untouched),
        "served_by": served,
        "audit": {"log": record["origin"], "seq": record["seq"]} if record else None,
        "decision_id": entry.decision_id,
        "unexpected": list(differences),
    }


def outcome(console: Console, rows: Sequence[Row], verdict: Verdict, *, as_json: bool) -> None:
    """Prints the table and the verdicts, or with `as_json` one JSON line per request and one for the log."""
    records = sum(log.records for log in verdict.logs)
    if as_json:
        for entry in rows:
            print(orjson.dumps(entry).decode())
        print(orjson.dumps({"log": "verified" if verdict.ok else "damaged", "records": records}).decode(), flush=True)
        return
    console.print(_table(rows, wide=console.width >= _WIDE))
    unexpected = [(entry["request"], what) for entry in rows for what in entry["unexpected"]]
    for title, what in unexpected:
        console.print(Text.assemble((f"{title}: ", "bold red"), what), soft_wrap=True)
    good = sum(not entry["unexpected"] for entry in rows)
    console.print(
        Text(f"{good} of {len(rows)} requests ended as they should", style="red" if unexpected else "green"),
        Text("audit log verified: " if verdict.ok else "audit log damaged: ", style="green" if verdict.ok else "red")
        + Text(
            f"{records} records" + (", no gap in the sequence, every checksum holds" if verdict.ok else ""), "default"
        ),
        sep="\n",
        soft_wrap=True,
    )


def instructions(console: Console, *, port: int, admin: int, directory: str) -> None:
    """How to talk to what `--keep` left running."""
    base = f"http://127.0.0.1:{port}/v1"
    text = f"""
Ringfence keeps running. Stop it with Ctrl-C.

curl -si {base}/chat/completions -H 'content-type: application/json' \\
  -d '{{"model": "demo-small", "messages": [{{"role": "user", "content": "write to anna.schmidt@example.com"}}]}}'

from openai import OpenAI
client = OpenAI(base_url="{base}", api_key="demo")
client.chat.completions.create(model="demo-small", messages=[{{"role": "user", "content": "hello"}}])

health    curl -s http://127.0.0.1:{admin}/readyz
metrics   curl -s http://127.0.0.1:{admin}/metrics
records   ringfence audit show {directory}/var/audit
"""
    console.print(Text(text), soft_wrap=True)


# --- the table -----------------------------------------------------------------------------------------------------


def _table(rows: Iterable[Row], *, wide: bool) -> Table:
    """Six columns where there is room for them, else the same cells in three."""
    table = Table(box=HORIZONTALS, show_lines=True, pad_edge=False, header_style="bold", expand=not wide)
    if wide:
        for heading, width in (("request", 26), ("found", 20), ("decided by", _POLICY_WIDTH)):
            table.add_column(heading, overflow="fold", width=width)
        for heading in ("the node received", "served by", "audit"):
            table.add_column(heading, overflow="fold", min_width=10)
    else:
        table.add_column("request", overflow="fold", ratio=3)
        table.add_column("found and decided", overflow="fold", width=_POLICY_WIDTH)
        table.add_column("the node received", overflow="fold", ratio=6)
    for number, entry in enumerate(rows, 1):
        request, audit = _request(number, entry), _audit(entry)
        found, verdict, rules = _found_cell(entry), _verdict_cell(entry), _rules(entry)
        received, served = _received(entry), _served(entry)
        if wide:
            table.add_row(request, found, Group(verdict, rules), received, served, audit)
        else:
            table.add_row(Group(request, audit), Group(verdict, found, rules), Group(served, received))
    return table


def _request(number: int, entry: Row) -> RenderableType:
    lines = [Text(f"{number}. {entry['request']}", style="bold"), Text(f"to {entry['model']}", style="dim")]
    if entry["unexpected"]:
        lines.append(Text("NOT AS IT SHOULD", style="bold red"))
    return Text("\n").join(lines)


def _found_cell(entry: Row) -> RenderableType:
    return Text("\n".join(entry["found"])) if entry["found"] else Text("nothing found", style="dim")


def _verdict_cell(entry: Row) -> RenderableType:
    words = Text(", ").join(Text(word.upper(), style=f"bold {_COLOURS[word]}") for word in entry["verdict"])
    answer = (
        Text("\n" + " ".join([str(entry["status"]), entry["code"]])) if entry["code"] else Text(f" {entry['status']}")
    )
    return words + answer


def _rules(entry: Row) -> RenderableType:
    """Each policy with its rules below it. The baseline says that nothing stands in the way: it counts where it is alone."""
    rules = [rule for rule in entry["rules"] if not rule.startswith("baseline/")] or entry["rules"]
    lines, last = [], ""
    for policy, _, name in (rule.partition("/") for rule in rules):
        lines += [policy] if policy != last else []
        lines.append(f"  {name}")
        last = policy
    return Text("\n".join(lines or ["a limit, before any policy"]), style="dim")


def _received(entry: Row) -> RenderableType:
    texts = [Text(one["text"]) for one in entry["received"]]
    for text in texts:
        text.highlight_regex(_PLACEHOLDER, "bold yellow")
    return Text("\n").join(texts) if texts else Text("nothing reached any node", style="dim")


def _served(entry: Row) -> RenderableType:
    served = entry["served_by"]
    lines = [Text(f"{served['node']} ({served['country']})", style="cyan") if served else Text("nobody", style="red")]
    if "pinned" in entry["verdict"]:
        lines.append(Text("allowed: " + ", ".join(entry["may_go_to"]), style="dim"))
        kept_out = [node for node in entry["untouched"] if node not in entry["may_go_to"]]
        lines.append(Text("received nothing: " + ", ".join(kept_out), style="dim"))
    return Text("\n").join(lines)


def _audit(entry: Row) -> RenderableType:
    if entry["audit"] is None:
        return Text("no record", style="bold red")
    return Text(f"{entry['audit']['log'].rpartition('/')[2]} #{entry['audit']['seq']}", style="dim")


# --- cells ---------------------------------------------------------------------------------------------------------


def _found(record: dict[str, Any]) -> list[str]:
    types = [row["type"] + (f" x{row['n']}" if row["n"] > 1 else "") for row in record.get("findings", [])]
    labels = [f"label {name}" for name in record.get("labels", [])]
    places = [f"subject in {code}" for code in record.get("jurisdictions", [])]
    unread = [f"not read: {name}" for name in record.get("uninspected", [])]
    skipped = [f"inspection {record['detection']}"] if record.get("detection", "complete") != "complete" else []
    return types + labels + places + unread + skipped


def _verdict(record: dict[str, Any], served: dict[str, Any] | None) -> list[str]:
    """What the decision comes to, in words for people."""
    if record.get("action") in (None, "deny"):
        return ["refused"]
    words = (["redacted"] if record.get("redaction") else []) + (["pinned"] if "pin" in record["obligations"] else [])
    return (words or ["passed"]) + ([] if served else ["not served"])


def _text(raw: bytes) -> str:
    content = orjson.loads(raw)["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return " ".join(part["text"] if part["type"] == "text" else f"[{part['type']}]" for part in content)


def _excerpt(text: str) -> str:
    """At most `_EXCERPT` characters, the first changed place among them."""
    if len(text) <= _EXCERPT:
        return text
    changed = _PLACEHOLDER.search(text)
    start = max(0, changed.start() - _EXCERPT // 2) if changed else 0
    return ("..." if start else "") + text[start : start + _EXCERPT] + ("..." if start + _EXCERPT < len(text) else "")

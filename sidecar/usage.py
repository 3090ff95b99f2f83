"""Token counts of answers into dynamic metadata, for the outcome record: a filter that only looks.

Envoy's own filters do not serve here (all seen on 1.40): json_to_metadata holds an answer back until its end and turns one
above the buffer limit into a 500; sse_to_metadata is marked as work in progress and outside Envoy's threat model. This
script passes every chunk as it comes, keeps the last bytes only, and reads both kinds of answers from them: usage stands at
the end of a JSON answer and in the last event of a stream. Where it does not, or the answer is compressed, there is no count.
"""

from __future__ import annotations

from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua

from sidecar.dataplane import USAGE_NAMESPACE

USAGE = "envoy.filters.http.lua"
KEYS = ("prompt_tokens", "completion_tokens")
TAIL_BYTES = 2_048

# A quoted key followed by a colon cannot occur inside a JSON string, where its quotes would be escaped: text that a model
# writes is never read as a count. The greedy `.*` takes the last one. Twelve digits are more tokens than there are.
SCRIPT = f"""
local KEYS = {{ {", ".join(f'"{key}"' for key in KEYS)} }}
local KINDS = {{ ["application/json"] = true, ["text/event-stream"] = true }}

function envoy_on_response(handle)
  local kind = handle:headers():get("content-type")
  if kind == nil or not KINDS[string.lower(string.match(kind, "^[^; ]*"))] then return end
  local tail = ""
  for chunk in handle:bodyChunks() do
    local size = chunk:length()
    local kept = math.min(size, {TAIL_BYTES})
    tail = string.sub(tail .. chunk:getBytes(size - kept, kept), -{TAIL_BYTES})
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  for _, key in ipairs(KEYS) do
    local count = string.match(tail, '.*"' .. key .. '"%s*:%s*(%d+)')
    if count ~= nil and #count <= 12 then metadata:set("{USAGE_NAMESPACE}", key, tonumber(count)) end
  end
end
"""


def usage_filter() -> Lua:
    """The configuration of the filter."""
    return Lua(default_source_code={"inline_string": SCRIPT}, stat_prefix="ringfence")

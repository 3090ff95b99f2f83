"""Changes to the head of a request, made by Envoy from the verdict's metadata: a filter behind ext_proc.

Envoy drops the header changes in the answer to a body whose head was not sent, without a word (seen on 1.40). So the worker
says them in metadata, for every kind of request. It holds the cell back with them: the script writes the cell once all is
done, and a request whose script failed, or that asked for what nobody may change, has no route but the one that refuses.
"""

from __future__ import annotations

from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua

from governance.headers import FIXED, FIXED_PREFIXES, NAME_CHARACTERS
from sidecar.dataplane import CELL_KEY, DECISION_NAMESPACE

EDITS = "ringfence.edits"
# Keys of the decision's metadata: names to remove, values by name, and the cell to go to afterwards.
REMOVE_KEY = "remove"
SET_KEY = "set"
EDITED_CELL_KEY = "edited_cell"


def _table(words: tuple[str, ...]) -> str:
    return "{ " + ", ".join(f'["{word}"] = true' for word in words) + " }"


def _list(words: tuple[str, ...]) -> str:
    return "{ " + ", ".join(f'"{word}"' for word in words) + " }"


def _class(characters: str) -> str:
    return "".join(one if one.isalnum() else f"%{one}" for one in characters)


# What `governance.headers` says may change, once more where nobody but Envoy has a hand in it.
SCRIPT = f"""
local FIXED = {_table(FIXED)}
local PREFIXES = {_list(FIXED_PREFIXES)}

local function fixed(name)
  if FIXED[name] or not string.find(name, "^[{_class(NAME_CHARACTERS)}]+$") then return true end
  for _, prefix in ipairs(PREFIXES) do
    if string.sub(name, 1, #prefix) == prefix then return true end
  end
  return false
end

function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local said = metadata:get("{DECISION_NAMESPACE}")
  if said == nil or said["{EDITED_CELL_KEY}"] == nil then return end
  local headers = handle:headers()
  for _, name in ipairs(said["{REMOVE_KEY}"] or {{}}) do
    if fixed(name) then return end
    headers:remove(name)
  end
  for name, value in pairs(said["{SET_KEY}"] or {{}}) do
    if fixed(name) or string.find((string.gsub(value, "\\t", "")), "%c") then return end
    headers:replace(name, value)
  end
  metadata:set("{DECISION_NAMESPACE}", "{CELL_KEY}", said["{EDITED_CELL_KEY}"])
  handle:clearRouteCache()
end
"""


def edits_filter() -> Lua:
    """The configuration of the filter."""
    return Lua(default_source_code={"inline_string": SCRIPT}, stat_prefix="ringfence.edits")

# What jq 1.6 has and the library has not.

def ascii: [.] | implode;
def leaf_paths: paths(scalars);
def dateadd(u; n): . + n;
def datesub(u; n): . - n;
def tostream: path(def r: (.[]?|r), .; r) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p+$q]);
def from_entries: reduce .[] as $e ({};
    . + { ($e
            | if isobject then
                if has("key") then .key elif has("k") then .k elif has("name") then .name
                elif has("Key") then .Key elif has("K") then .K elif has("Name") then .Name else null end
              else null end
            | if isstring then . else tojson end):
          ($e | if has("value") then .value elif has("v") then .v elif has("Value") then .Value
                elif has("V") then .V else null end) });
def with_entries(f): to_entries | map(f) | from_entries;
def @csv: [.[] | if isstring then "\"" + gsub("\""; "\"\"") + "\"" elif . == null then "" else tojson end] | join(",");
def @tsv: [.[] | if isstring then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r")
                 elif . == null then "" else tojson end] | join("\t");

"""An MCP server on standard input and output whose one tool asks the person a question."""

import json
import sys

TOOL = {
    "name": "book_table",
    "description": "Books a table at the restaurant.",
    "inputSchema": {"type": "object", "properties": {}},
}
QUESTION = {
    "message": "For how many?",
    "requestedSchema": {
        "type": "object",
        "properties": {
            "guests": {"type": "integer", "title": "Guests"},
            "name": {"type": "string", "title": "Your name"},
        },
        "required": ["guests", "name"],
    },
}


def say(**message: object) -> None:
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


calls = {}
for line in sys.stdin:
    heard = json.loads(line)
    id, method = heard.get("id"), heard.get("method")
    if method == "initialize":
        version = heard["params"]["protocolVersion"]
        info = {"name": "booking", "version": "1"}
        say(id=id, result={
            "protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info,
        })
    elif method == "tools/list":
        say(id=id, result={"tools": [TOOL]})
    elif method == "tools/call":
        calls[f"q{id}"] = id
        say(id=f"q{id}", method="elicitation/create", params=QUESTION)
    elif method is None and id in calls:
        answer = heard.get("result") or {"action": "error"}
        if answer["action"] == "accept":
            content = answer["content"]
            text = f"booked for {content['guests'] + 0} under {content['name']}"
        else:
            text = f"not booked: {answer['action']}"
        say(id=calls.pop(id), result={"content": [{"type": "text", "text": text}]})
    elif id is not None and method is not None:
        say(id=id, result={})

"""Requests that no SDK would send: one call, said in either binding."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

# The 1.0.1 table: JSON-RPC code, HTTP status of HTTP+JSON, google.rpc status.
ERRORS = {
    "TASK_NOT_FOUND": (-32001, 404, "NOT_FOUND"),
    "TASK_NOT_CANCELABLE": (-32002, 400, "FAILED_PRECONDITION"),
    "PUSH_NOTIFICATION_NOT_SUPPORTED": (-32003, 400, "FAILED_PRECONDITION"),
    "UNSUPPORTED_OPERATION": (-32004, 400, "FAILED_PRECONDITION"),
    "CONTENT_TYPE_NOT_SUPPORTED": (-32005, 400, "INVALID_ARGUMENT"),
    "INVALID_AGENT_RESPONSE": (-32006, 500, "INTERNAL"),
    "EXTENDED_AGENT_CARD_NOT_CONFIGURED": (-32007, 400, "FAILED_PRECONDITION"),
    "EXTENSION_SUPPORT_REQUIRED": (-32008, 400, "FAILED_PRECONDITION"),
    "VERSION_NOT_SUPPORTED": (-32009, 400, "FAILED_PRECONDITION"),
    "INVALID_PARAMS": (-32602, 400, "INVALID_ARGUMENT"),
}


@dataclass
class Answer:
    http: httpx.Response
    result: Any = None
    error: dict | None = None

    @property
    def info(self) -> dict:
        """The ErrorInfo of an error."""
        assert self.error is not None, self.http.text
        details = self.error.get("data" if "jsonrpc" in self.http.json() else "details")
        assert isinstance(details, list), self.error
        assert all(isinstance(detail, dict) and "@type" in detail for detail in details), details
        found = [detail for detail in details if detail["@type"] == ERROR_INFO]
        assert len(found) == 1, details
        return found[0]

    def refused(self, reason: str) -> None:
        """Asserts everything that the specification says of how this error looks."""
        code, status, name = ERRORS[reason]
        assert self.error is not None, f"no {reason} but {self.http.text}"
        if "jsonrpc" in self.http.json():
            assert self.error["code"] == code, self.error
            # a2a-sdk reads a JSON-RPC error only from a 2xx answer.
            assert self.http.status_code == 200, self.http.status_code
            assert self.http.headers["content-type"].startswith("application/json")
        else:
            assert self.http.status_code == status, self.http.text
            assert self.error["code"] == status and self.error["status"] == name, self.error
            assert self.http.headers["content-type"].startswith(("application/json", "application/a2a+json"))
        assert self.error["message"]
        # The table has no reason for the standard JSON-RPC errors; the SDKs map INVALID_PARAMS over HTTP+JSON.
        if code <= -32100 and "jsonrpc" in self.http.json() and "data" not in self.error:
            return
        assert self.info["reason"] == reason, self.info
        assert self.info["domain"] == "a2a-protocol.org", self.info


@dataclass
class Wire:
    """Calls by their names in the specification; `params` as in JSON-RPC, whatever the binding."""

    binding: str
    url: str
    key: str | None
    headers: dict = field(default_factory=lambda: {"A2A-Version": "1.0"})
    timeout: float = 60

    def request(self, method: str, params: dict | None = None, headers: dict | None = None) -> dict:
        params = dict(params or {})
        sent = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        sent |= self.headers | (headers or {})
        sent = {name: value for name, value in sent.items() if value is not None}
        if self.binding == "JSONRPC":
            body = {"jsonrpc": "2.0", "id": "wire-1", "method": method, "params": params}
            return {"method": "POST", "url": self.url, "json": body, "headers": sent}
        tenant = params.pop("tenant", "")
        base = self.url.rstrip("/") + (f"/{tenant}" if tenant else "")
        task = params.get("taskId") if "PushNotificationConfig" in method else params.get("id")
        configs = f"/tasks/{task}/pushNotificationConfigs"
        verb, path = {
            "SendMessage": ("POST", "/message:send"),
            "SendStreamingMessage": ("POST", "/message:stream"),
            "GetTask": ("GET", f"/tasks/{task}"),
            "ListTasks": ("GET", "/tasks"),
            "CancelTask": ("POST", f"/tasks/{task}:cancel"),
            "SubscribeToTask": ("POST", f"/tasks/{task}:subscribe"),
            "CreateTaskPushNotificationConfig": ("POST", configs),
            "GetTaskPushNotificationConfig": ("GET", f"{configs}/{params.get('id')}"),
            "ListTaskPushNotificationConfigs": ("GET", configs),
            "DeleteTaskPushNotificationConfig": ("DELETE", f"{configs}/{params.get('id')}"),
            "GetExtendedAgentCard": ("GET", "/extendedAgentCard"),
        }[method]
        request = {"method": verb, "url": base + path, "headers": sent}
        if verb == "GET":
            rest = {name: value for name, value in params.items() if name not in ("id", "taskId")}
            request["params"] = {
                name: str(value).lower() if isinstance(value, bool) else value for name, value in rest.items()
            }
        elif method in ("SendMessage", "SendStreamingMessage", "CreateTaskPushNotificationConfig"):
            sent.setdefault("Content-Type", "application/a2a+json")
            request["content"] = json.dumps(params)
        return request

    def call(self, operation: str, params: dict | None = None, headers: dict | None = None, **changes) -> Answer:
        """`changes` replace what is sent, such as `method="GET"`."""
        request = self.request(operation, params, headers) | changes
        http = httpx.request(**request, timeout=self.timeout, trust_env=False)
        return self.read(http)

    def read(self, http: httpx.Response) -> Answer:
        content = http.headers.get("content-type", "")
        if "json" not in content:
            return Answer(http)
        body = http.json()
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            return Answer(http, error=body["error"])
        if self.binding == "JSONRPC":
            assert body["jsonrpc"] == "2.0" and body["id"] == "wire-1", body
            # @a2a-js/sdk takes any answer that has the key `error` for an error, null or not.
            assert "error" not in body, body
            return Answer(http, body["result"])
        return Answer(http, body)

    def events(self, method: str, params: dict | None = None, headers: dict | None = None, limit: int | None = None):
        """(id, StreamResponse) of each event of a stream; an answer without a stream is an `Answer` instead."""
        request = self.request(method, params, {"Accept": "text/event-stream"} | (headers or {}))
        found: list = []
        with httpx.stream(**request, timeout=self.timeout, trust_env=False) as http:
            if not http.headers.get("content-type", "").startswith("text/event-stream"):
                http.read()
                return self.read(http)
            id, data = None, []
            for line in http.iter_lines():
                if not line:
                    if data:
                        body = json.loads("\n".join(data))
                        if self.binding == "JSONRPC":
                            assert body["jsonrpc"] == "2.0" and body["id"] == "wire-1", body
                            body = body["result"]
                        found.append((id, body))
                        if limit is not None and len(found) >= limit:
                            return found
                    data = []
                elif line.startswith("id:"):
                    id = line[3:].strip()
                elif line.startswith("data:"):
                    data.append(line[5:].removeprefix(" "))
        return found


def message(text: str | None = None, *, parts: list | None = None, **other) -> dict:
    import uuid

    parts = parts if parts is not None else [{"text": text}]
    return {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": parts} | other

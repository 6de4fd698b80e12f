"""Providers on loopback in the words of OpenAI, Anthropic and Google. The name of a
model says how it behaves; every request is kept."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Upstream(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        # The heads of those that had a body, with names in lower case.
        self.heads = []
        # Set when a client leaves an answer that would never end.
        self.left = threading.Event()
        # Set when such an answer has begun.
        self.hanging = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def last(self):
        return self.requests[-1][1]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append((self.path, None))
        path = self.path.split("?")[0]
        if path == "/v1/models" and "x-api-key" in self.headers:
            return self.json({"data": [{"id": "claude-sonnet-4-5-20250929", "type": "model"}], "has_more": False})
        if path == "/v1/models":
            ids = ["plain", "tools", "gpt-4o-2024-08-06"]
            return self.json({"object": "list", "data": [{"id": id, "object": "model"} for id in ids]})
        return self.json({"error": {"message": "no such place"}}, 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append((self.path, body))
        self.server.heads.append({name.lower(): value for name, value in self.headers.items()})
        if self.path == "/v1/chat/completions":
            return self.chat(body)
        if self.path == "/v1/embeddings":
            vectors = [[float(len(text)), 0.5] for text in body["input"]]
            data = [{"index": i, "embedding": v} for i, v in enumerate(vectors)]
            return self.json({"data": data, "model": body["model"], "usage": {"prompt_tokens": 7, "total_tokens": 7}})
        if self.path in ("/v1/messages", "/v1/messages?beta=true"):
            return self.messages(body)
        if self.path.startswith("/v1/messages/count_tokens"):
            return self.json({"input_tokens": 42})
        if ":streamGenerateContent" in self.path or ":generateContent" in self.path:
            return self.gemini(body)
        return self.json({"error": {"message": "no such place"}}, 404)

    # OpenAI

    def chat(self, body):
        model = body["model"]
        if model == "busy":
            return self.json({"error": {"message": "slow down"}}, 429, {"retry-after": "30"})
        if model == "no-such":
            error = {"message": "The model does not exist", "code": "model_not_found"}
            return self.json({"error": error}, 404)
        if model == "down":
            return self.json({"error": {"message": "broken"}}, 401)
        deltas, finish = self.said(body)
        head = {"id": "chatcmpl-7", "created": 1, "model": model + "-1", "system_fingerprint": "fp"}
        usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14,
                 "prompt_tokens_details": {"cached_tokens": 4}}
        if not body.get("stream"):
            message = {"role": "assistant", "content": None}
            for delta in deltas:
                for key, value in delta.items():
                    if key == "tool_calls":
                        message.setdefault("tool_calls", []).extend(value)
                    else:
                        message[key] = (message.get(key) or "") + value
            if model == "hang":
                return self.hang()
            choice = {"index": 0, "message": message, "finish_reason": finish}
            return self.json({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        self.open("text/event-stream")
        for delta in deltas:
            self.event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        if model == "hang":
            return self.hang()
        if model == "cut":
            return self.cut()
        self.event({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        self.event({**head, "choices": [], "usage": usage})
        self.send("data: [DONE]\n\n")
        self.end()

    def said(self, body):
        model, last = body["model"], body["messages"][-1]
        call = lambda i, name, args: {"index": i, "id": f"call_{i}", "type": "function",
                                      "function": {"name": name, "arguments": json.dumps(args)}}
        if model == "tools" and last["role"] != "tool":
            calls = [call(0, "weather", {"city": "Oslo"}), call(1, "weather", {"city": "Rome"})]
            return [{"tool_calls": [c]} for c in calls], "tool_calls"
        if model == "tools":
            return [{"content": "It is " + last["content"]}], "stop"
        if model == "thinker":
            return [{"reasoning_content": "Let me "}, {"reasoning_content": "see."}, {"content": "Yes."}], "stop"
        if model == "long":
            return [{"content": "And so on"}], "length"
        if model == "json":
            return [{"content": '{"answer": 42}'}], "stop"
        words = last["content"]
        words = words if isinstance(words, str) else words[0]["text"]
        return [{"content": "You said: "}, {"content": words}], "stop"

    # Anthropic

    def messages(self, body):
        think = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
        text = {"type": "text", "text": "Hello from Claude."}
        use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
        last = body["messages"][-1]["content"]
        answered = isinstance(last, list) and any(b["type"] == "tool_result" for b in last)
        content = [think, use] if body.get("tools") and not answered else [think, text]
        stop = "tool_use" if use in content else "end_turn"
        usage = {"input_tokens": 3, "cache_read_input_tokens": 6, "cache_creation_input_tokens": 2, "output_tokens": 8}
        message = {"id": "msg_7", "type": "message", "role": "assistant", "model": body["model"],
                   "content": content, "stop_reason": stop, "stop_sequence": None, "usage": usage}
        if not body.get("stream"):
            return self.json(message)
        self.open("text/event-stream")
        self.named({"type": "message_start", "message": {**message, "content": [], "stop_reason": None}})
        for i, block in enumerate(content):
            deltas = {
                "thinking": [{"type": "thinking_delta", "thinking": block.get("thinking")},
                             {"type": "signature_delta", "signature": block.get("signature")}],
                "text": [{"type": "text_delta", "text": word} for word in ("Hello ", "from ", "Claude.")],
                "tool_use": [{"type": "input_json_delta", "partial_json": part} for part in ('{"city": ', '"Oslo"}')],
            }[block["type"]]
            empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
            self.named({"type": "content_block_start", "index": i, "content_block": {**block, **empty[block["type"]]}})
            for delta in deltas:
                self.named({"type": "content_block_delta", "index": i, "delta": delta})
            self.named({"type": "content_block_stop", "index": i})
        self.named({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": usage})
        self.named({"type": "message_stop"})
        self.end()

    # Google

    def gemini(self, body):
        answered = any("functionResponse" in part for turn in body["contents"] for part in turn["parts"])
        call = {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2VhbA=="}
        part = {"text": "Rain, says Gemini."} if answered else call
        usage = {"promptTokenCount": 11, "candidatesTokenCount": 4, "totalTokenCount": 15}
        answer = {"candidates": [{"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}],
                  "usageMetadata": usage, "modelVersion": "gemini-2.5-flash", "responseId": "g7"}
        if ":generateContent" in self.path:
            return self.json(answer)
        self.open("text/event-stream")
        self.event(answer)
        self.end()

    # Bytes

    def json(self, value, status=200, headers=None):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def open(self, kind):
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, value):
        self.send(f"data: {json.dumps(value)}\n\n")

    def named(self, value):
        self.send(f"event: {value['type']}\ndata: {json.dumps(value)}\n\n")

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def cut(self):
        self.close_connection = True

    def hang(self):
        """Says nothing more until the client closes the connection."""
        self.server.hanging.set()
        self.connection.recv(1)
        self.server.left.set()
        self.close_connection = True

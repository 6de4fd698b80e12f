import { createServer } from "node:http";

const GAP_MS = 60;

/** A provider of models that streams moments: each token is the time at which it was written. */
export async function fakeProvider(tokens) {
  const server = createServer(async (request, response) => {
    for await (const _ of request);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const piece = (delta, finish_reason = null) => {
      const chunk = { id: "c", object: "chat.completion.chunk", created: 0, model: "m", choices: [{ index: 0, delta, finish_reason }] };
      response.write(`data: ${JSON.stringify(chunk)}\n\n`);
    };
    for (let at = 0; at < tokens; at += 1) {
      await new Promise((resolve) => setTimeout(resolve, GAP_MS));
      piece({ role: "assistant", content: `${Date.now()} ` });
    }
    piece({}, "stop");
    response.end("data: [DONE]\n\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/v1`, close: () => server.close() };
}

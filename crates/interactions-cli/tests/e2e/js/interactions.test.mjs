// Google's JavaScript SDK, unmodified, against `interactions serve`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { collect, said, serve, settled } from "./serve.mjs";

const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "The weather of a city.",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};

const RULES = `
[[rules]]
prompt = "weather"
steps = [{ thought = "Paris, then." }, { call = "get_weather", arguments = { city = "Paris" } }]

[[rules]]
prompt = "echo"
steps = [{ call = "echo", arguments = { message = "over the wire" } }]

[[rules]]
after = "*"
steps = [{ text = "It is {result}" }]
`;

const everything = process.env.INTERACTIONS_MCP_EVERYTHING;
let server;
let client;

before(async () => {
  const host = new URL(everything).host;
  server = await serve({ config: `[egress]\nallow = ["${host}"]\n`, rules: RULES });
  client = server.client();
});

after(async () => {
  assert.equal(await server.stop(), 0);
});

const create = (body) => client.interactions.create({ model: "scripted", ...body });

/** Checks that `call` is refused with `status` and a text that names `words`. */
async function refused(call, status, ...words) {
  await assert.rejects(call, (error) => {
    assert.equal(error.status ?? error.statusCode, status, String(error));
    for (const word of words) assert.ok(String(error.message).includes(word), String(error.message));
    return true;
  });
}

test("text", async () => {
  const answer = await create({ input: "Hello there" });
  assert.equal(answer.status, "completed");
  assert.equal(answer.output_text, "You said: Hello there");
  assert.equal(answer.model, "scripted");
  assert.ok(answer.usage.total_tokens > 0);
});

test("streaming", async () => {
  const events = await collect(await create({ input: "count to 5", stream: true }));
  assert.equal(events[0].event_type, "interaction.created");
  assert.equal(events.at(-1).event_type, "interaction.completed");
  assert.deepEqual(said(events).trim().split(/\s+/), ["1", "2", "3", "4", "5"]);
  assert.equal(new Set(events.map((event) => event.event_id)).size, events.length);
});

test("three turns and a fork", async () => {
  const first = await create({ input: "one" });
  const second = await create({ input: "two", previous_interaction_id: first.id });
  const third = await create({ input: "three", previous_interaction_id: second.id });
  const fork = await create({ input: "other", previous_interaction_id: first.id });
  assert.equal(third.previous_interaction_id, second.id);
  assert.equal(fork.previous_interaction_id, first.id);
  assert.ok(fork.usage.total_input_tokens < third.usage.total_input_tokens);
});

test("function call and result", async () => {
  const turn = await create({ input: "weather?", tools: [WEATHER] });
  assert.equal(turn.status, "requires_action");
  const call = turn.steps.find((step) => step.type === "function_call");
  assert.deepEqual(call.arguments, { city: "Paris" });
  const answer = await create({
    tools: [WEATHER],
    previous_interaction_id: turn.id,
    input: [{ type: "function_result", name: call.name, call_id: call.id, result: "sunny" }],
  });
  assert.equal(answer.output_text, "It is sunny");
});

test("a tool of a remote MCP server", async () => {
  const tools = [{ type: "mcp_server", name: "everything", url: everything }];
  const answer = await create({ input: "echo", tools });
  assert.equal(answer.status, "completed");
  assert.ok(answer.output_text.includes("Echo: over the wire"), answer.output_text);
  assert.ok(answer.steps.some((step) => step.type === "mcp_server_tool_result"));
});

test("background with polling", async () => {
  const queued = await create({ input: "count to 6", background: true });
  assert.ok(["queued", "in_progress"].includes(queued.status));
  const done = await settled(client, queued.id);
  assert.equal(done.status, "completed");
  assert.equal(done.output_text.trim().split(/\s+/).length, 6);
});

test("resuming with last_event_id", async () => {
  const head = [];
  for await (const event of await create({ input: "count to 12", stream: true })) {
    head.push(event);
    if (said(head).trim().endsWith("4")) break;
  }
  const tail = await collect(
    await client.interactions.get(head[0].interaction.id, {
      stream: true,
      last_event_id: head.at(-1).event_id,
    }),
  );
  const numbers = said([...head, ...tail]).trim().split(/\s+/).map(Number);
  assert.deepEqual(numbers, Array.from({ length: 12 }, (_, index) => index + 1));
  assert.equal(tail.at(-1).event_type, "interaction.completed");
});

test("cancel", async () => {
  const running = await create({ input: "wait 60", background: true });
  await client.interactions.cancel(running.id);
  assert.equal((await settled(client, running.id)).status, "cancelled");
});

test("delete, then 404", async () => {
  const answer = await create({ input: "x" });
  assert.equal(await client.interactions.delete(answer.id), undefined);
  await refused(() => client.interactions.get(answer.id), 404, answer.id);
  await refused(() => client.interactions.delete(answer.id), 404);
  await refused(() => create({ input: "y", previous_interaction_id: answer.id }), 404);
});

test("refusals", async () => {
  await refused(() => create({ model: "no-such-model", input: "x" }), 404, "no-such-model");
  await refused(() => create({ input: "x", temprature: 1 }), 400, "temprature");
  await refused(() => create({ input: "x", generation_config: { top_q: 1 } }), 400, "generation_config.top_q");
  await refused(() => create({ input: "x", agent: "helper" }), 400, "agent");
  await refused(() => create({ input: "x", store: false, background: true }), 400, "store", "background");
  await refused(() => create({ input: [{ role: "user", content: "x" }] }), 400, "input[0]");
});

test("a bad key", async () => {
  const locked = await serve({ config: '[auth]\nkeys = [{ key = "alpha", tenant = "a" }]\n' });
  try {
    const call = (key) => locked.client(key).interactions.create({ model: "scripted", input: "x" });
    await refused(() => call("wrong"), 401);
    assert.equal((await call("alpha")).status, "completed");
  } finally {
    assert.equal(await locked.stop(), 0);
  }
});

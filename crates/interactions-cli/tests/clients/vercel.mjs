// The Vercel AI SDK with `google.interactions`: a tool loop, streamed and not, and a turn that remembers.

import assert from "node:assert/strict";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const google = createGoogleGenerativeAI({ apiKey: "any", baseURL: `${process.env.GOOGLE_GEMINI_BASE_URL}/v1beta` });
const model = google.interactions("scripted");
let calls = 0;
const tools = {
  get_weather: tool({
    description: "Tells the weather in a city.",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => { calls += 1; return { city, weather: "snow" }; },
  }),
};

const first = await generateText({ model, tools, stopWhen: stepCountIs(5), prompt: "How is the weather in Oslo?" });
assert.match(first.text, /snow/);
const streamed = streamText({ model, tools, stopWhen: stepCountIs(5), prompt: "How is the weather in Oslo?" });
let text = "";
for await (const piece of streamed.textStream) text += piece;
assert.match(text, /snow/);
assert.equal(calls, 2);
const second = await generateText({
  model, tools,
  messages: [{ role: "user", content: "How is the weather in Oslo?" }, ...first.response.messages, { role: "user", content: "and tomorrow?" }],
});
assert.match(second.text, /Tomorrow it is the same\./);
console.log("Vercel AI SDK: ok");

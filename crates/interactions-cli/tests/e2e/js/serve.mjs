// The binary under test, as a process that a test starts and ends by its own id.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { GoogleGenAI } from "@google/genai";

// What the server must not find: a model of the machine's owner.
const FOREIGN = ["GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST"];

/** Starts `interactions serve` on a port that the system picks. */
export async function serve({ config = "", rules = "" } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "interactions-e2e-"));
  await writeFile(join(folder, "rules.toml"), rules);
  const models = '\n[[models]]\nmatch = "scripted"\nadapter = "scripted"\nscript = "rules.toml"\n';
  await writeFile(join(folder, "interactions.toml"), config + (rules ? models : ""));
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.includes(name)));
  const child = spawn(
    process.env.INTERACTIONS_BIN,
    [
      "serve",
      "--config", join(folder, "interactions.toml"),
      "--listen", "127.0.0.1:0",
      "--data-dir", join(folder, "data"),
    ],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...env, RUST_LOG: "error" } },
  );
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const first = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", resolve);
    ended.then((code) => reject(new Error(`the server ended with ${code}`)));
  });
  const url = first.replace("listening on ", "");
  return {
    url,
    client: (apiKey = "any") => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: url } }),
    async stop() {
      child.kill("SIGTERM");
      const code = await ended;
      await rm(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/** Polls as the API's documentation does, until the interaction has ended. */
export async function settled(client, id) {
  for (let tries = 0; tries < 600; tries += 1) {
    const interaction = await client.interactions.get(id);
    if (!["queued", "in_progress"].includes(interaction.status)) return interaction;
    await sleep(50);
  }
  throw new Error(`${id} does not end`);
}

/** All events of a stream. */
export async function collect(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** The text that a stream's deltas spell. */
export function said(events) {
  return events
    .filter((event) => event.event_type === "step.delta" && event.delta.type === "text")
    .map((event) => event.delta.text)
    .join("");
}

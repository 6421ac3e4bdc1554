// A remote agent made with @a2a-js/sdk. Prints `listening on http://127.0.0.1:PORT`.
// Its skills are those of remote_agent.py, without `adk` and `login`.

import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";

import { AgentCard, Role, TaskState, generateAgentCardSignature } from "@a2a-js/sdk";
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from "@a2a-js/sdk/server";
import { UserBuilder, jsonRpcHandler, restHandler } from "@a2a-js/sdk/server/express";
import express from "express";
import { exportJWK, generateKeyPair } from "jose";

const { values: chosen } = parseArgs({
  options: { binding: { type: "string", default: "JSONRPC" }, "no-streaming": { type: "boolean", default: false } },
});
const text = (value) => ({ content: { $case: "text", value }, metadata: undefined, filename: "", mediaType: "" });

class Executor {
  cancelled = [];

  async execute({ taskId, contextId, userMessage, task: before }, bus) {
    const said = userMessage.parts.map((part) => (part.content?.$case === "text" ? part.content.value : "")).join("\n");
    const skill = before?.metadata?.skill ?? userMessage.metadata.skillId;
    const status = (state, words) => ({
      state, timestamp: new Date().toISOString(),
      message: words && {
        messageId: crypto.randomUUID(), contextId, taskId, role: Role.ROLE_AGENT, parts: [text(words)],
        metadata: undefined, extensions: [], referenceTaskIds: [],
      },
    });
    const update = (state, words) =>
      bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state, words), metadata: undefined }));
    // The SDK wants a task first, on every turn.
    bus.publish(AgentEvent.task(before ? { ...before, status: status(TaskState.TASK_STATE_WORKING) } : {
      id: taskId, contextId, status: status(TaskState.TASK_STATE_SUBMITTED), artifacts: [], history: [userMessage],
      metadata: { skill },
    }));
    update(TaskState.TASK_STATE_WORKING);
    if (skill === "ask" && !before) {
      update(TaskState.TASK_STATE_INPUT_REQUIRED, "Which city?");
    } else if (skill === "slow") {
      for (let tick = 0; tick < 600 && !this.cancelled.includes(taskId); tick += 1) await sleep(200);
      return;
    } else {
      const words = skill === "ask" ? `You answered: ${said}` : said;
      for (const [at, piece] of [words.slice(0, 2), words.slice(2)].entries()) {
        bus.publish(AgentEvent.artifactUpdate({
          taskId, contextId, append: at > 0, lastChunk: at === 1, metadata: undefined,
          artifact: { artifactId: "answer", name: "", description: "", parts: [text(piece)], metadata: undefined, extensions: [] },
        }));
        await sleep(20);
      }
      update(TaskState.TASK_STATE_COMPLETED);
    }
    bus.finished();
  }

  cancelTask = async (taskId, bus) => {
    this.cancelled.push(taskId);
    const status = { state: TaskState.TASK_STATE_CANCELED, message: undefined, timestamp: new Date().toISOString() };
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId: "", status, metadata: undefined }));
    bus.finished();
  };
}

const app = express();
const server = app.listen(0, "127.0.0.1", async () => {
  const base = `http://127.0.0.1:${server.address().port}`;
  const interfaces = [
    { url: `${base}/rpc`, protocolBinding: "JSONRPC", protocolVersion: "1.0" },
    { url: `${base}/rest`, protocolBinding: "HTTP+JSON", protocolVersion: "1.0" },
  ];
  const described = {
    name: "Remote agent in JS", description: "An @a2a-js/sdk server.", version: "1.0.0",
    supportedInterfaces: chosen.binding === "JSONRPC" ? interfaces : interfaces.toReversed(),
    capabilities: { streaming: !chosen["no-streaming"], pushNotifications: false },
    defaultInputModes: ["text/plain"], defaultOutputModes: ["text/plain"],
    skills: ["echo", "ask", "slow"].map((id) => ({ id, name: id, description: `Does ${id}.`, tags: ["test"] })),
  };
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const json = await generateAgentCardSignature(privateKey, { alg: "ES256", kid: "remote", typ: "JOSE" })(described);
  const executor = new Executor();
  const requestHandler = new DefaultRequestHandler(AgentCard.fromJSON(json), new InMemoryTaskStore(), executor);
  // Not the SDK's handler: it writes its decoded form, in which a oneof is {"$case": …, "value": …}.
  app.get("/.well-known/agent-card.json", (_request, response) => response.json(json));
  app.get("/cancelled", (_request, response) => response.json(executor.cancelled));
  app.get("/jwks.json", async (_request, response) => response.json({
    keys: [{ ...(await exportJWK(publicKey)), kid: "remote" }],
  }));
  const userBuilder = UserBuilder.noAuthentication;
  app.use("/rpc", jsonRpcHandler({ requestHandler, userBuilder }));
  app.use("/rest", restHandler({ requestHandler, userBuilder }));
  console.log(`listening on ${base}`);
});

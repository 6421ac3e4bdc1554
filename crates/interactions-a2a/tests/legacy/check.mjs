// Whether the 0.3 clients in @a2a-js/sdk read translated.json. The first argument is its
// package folder.
import { readFileSync } from 'node:fs';

const { LegacyJsonRpcTransport, LegacyRestTransport } =
  await import(`${process.argv[2]}/dist/compat/v0_3/client/index.js`);
const here = new URL('translated.json', import.meta.url);
const { answers } = JSON.parse(readFileSync(here));
const message = { messageId: 'm', role: 1, parts: [{ content: { $case: 'text', value: 'hi' } }] };
const CALLS = {
  'message/send': (t) => t.sendMessage({ message }),
  'tasks/get': (t) => t.getTask({ id: 't1' }),
  'tasks/cancel': (t) => t.cancelTask({ id: 't1' }),
  'tasks/pushNotificationConfig/set': (t) =>
    t.createTaskPushNotificationConfig({ taskId: 't1', url: 'https://x.example', id: 'cfg' }),
  'tasks/pushNotificationConfig/get': (t) => t.getTaskPushNotificationConfig({ taskId: 't1', id: 'cfg' }),
  'tasks/pushNotificationConfig/list': (t) => t.listTaskPushNotificationConfig({ taskId: 't1' }),
  'tasks/pushNotificationConfig/delete': (t) => t.deleteTaskPushNotificationConfig({ taskId: 't1', id: 'cfg' }),
  'agent/getAuthenticatedExtendedCard': (t) => t.getExtendedAgentCard({}),
  'message/stream': async (t) => { for await (const e of t.sendMessageStream({ message })) return e; },
  'tasks/resubscribe': async (t) => { for await (const e of t.resubscribeTask({ id: 't1' })) return e; },
};
let failed = 0;
const seen = {};
for (const one of answers) {
  // The JS client has no device code in 0.3 and refuses a scheme of nothing else.
  for (const form of ['jsonrpc', 'rest']) delete one[form]?.securitySchemes?.device;
  for (const form of ['jsonrpc', 'rest']) {
    const fetchImpl = async (_url, init) => {
      const streams = ['message/stream', 'tasks/resubscribe'].includes(one.operation);
      const id = form === 'jsonrpc' ? JSON.parse(init.body).id : null;
      if (form === 'rest' && init.body) seen[one.operation] = init.body;
      const body = JSON.stringify(form === 'jsonrpc' ? { jsonrpc: '2.0', id, result: one.jsonrpc } : one.rest);
      const type = streams ? 'text/event-stream' : 'application/json';
      return new Response(streams ? `data: ${body}\n\n` : body, { headers: { 'Content-Type': type } });
    };
    const Transport = form === 'jsonrpc' ? LegacyJsonRpcTransport : LegacyRestTransport;
    try {
      const got = await CALLS[one.operation](new Transport({ endpoint: 'https://a.example', fetchImpl }));
      if (process.argv[3] === one.name) console.log(form, JSON.stringify(got));
    } catch (error) {
      failed += 1;
      console.log('FAILED', form, one.name, error.message);
    }
  }
}
if (process.argv[3]) console.log(seen);
console.log(answers.length, 'answers,', failed, 'failed');

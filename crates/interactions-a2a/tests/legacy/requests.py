"""Writes requests.json: what the 0.3 SDK itself sends. Run with a2a-sdk[http-server]==0.3.*."""

import asyncio
import json
import pathlib

import httpx

from a2a.client.transports.jsonrpc import JsonRpcTransport
from a2a.client.transports.rest import RestTransport
from a2a.types import (
    DataPart, FilePart, FileWithBytes, FileWithUri, GetTaskPushNotificationConfigParams, Message,
    MessageSendConfiguration, MessageSendParams, Part, PushNotificationAuthenticationInfo,
    PushNotificationConfig, Role, TaskIdParams, TaskPushNotificationConfig, TaskQueryParams,
    TextPart,
)

PUSH = PushNotificationConfig(
    id='cfg', url='https://listener.example/a2a', token='tok',
    authentication=PushNotificationAuthenticationInfo(schemes=['Bearer'], credentials='secret'),
)
FULL = Message(
    message_id='m1', role=Role.user, context_id='c1', task_id='t1',
    reference_task_ids=['t0'], extensions=['https://x.example/ext'], metadata={'k': {'n': 1.5}},
    parts=[
        Part(root=TextPart(text='hello', metadata={'lang': 'en'})),
        Part(root=FilePart(file=FileWithBytes(bytes='iVBORw0KGgo=', mime_type='image/png', name='p.png'))),
        Part(root=FilePart(file=FileWithUri(uri='https://x.example/a.pdf', mime_type='application/pdf'))),
        Part(root=DataPart(data={'a': [1, {'b': None}]}, metadata={'adk_type': 'function_response'})),
        Part(root=DataPart(data={'value': [1, 2]}, metadata={'data_part_compat': True})),
    ],
)
SHORT = Message(message_id='m2', role=Role.user, parts=[Part(root=TextPart(text='hi'))])
CONFIG = MessageSendConfiguration(
    accepted_output_modes=['text/plain'], blocking=False, history_length=3,
    push_notification_config=PUSH,
)
found = []


async def main():
    for binding, transport in (('jsonrpc', JsonRpcTransport), ('rest', RestTransport)):
        name = ''

        def answer(request):
            body = json.loads(request.content) if request.content else None
            one = {'name': name, 'binding': binding}
            if binding == 'jsonrpc':
                one |= {'method': body['method'], 'params': body.get('params')}
            else:
                one |= {'method': request.method, 'path': request.url.raw_path.decode(), 'body': body}
            found.append(one)
            return httpx.Response(500)

        http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        client = transport(http, url='https://agent.example')

        async def stream(events):
            async for _ in events:
                pass

        calls = [
            ('send everything', lambda: client.send_message(MessageSendParams(
                message=FULL, configuration=CONFIG, metadata={'r': True}))),
            ('send little', lambda: client.send_message(MessageSendParams(message=SHORT))),
            ('send and wait', lambda: client.send_message(MessageSendParams(
                message=SHORT, configuration=MessageSendConfiguration(blocking=True, history_length=0)))),
            ('send without saying whether to wait', lambda: client.send_message(MessageSendParams(
                message=SHORT, configuration=MessageSendConfiguration(history_length=2)))),
            ('stream', lambda: stream(client.send_message_streaming(MessageSendParams(message=SHORT)))),
            ('get', lambda: client.get_task(TaskQueryParams(id='t1'))),
            ('get with history', lambda: client.get_task(TaskQueryParams(id='t1', history_length=2))),
            ('cancel', lambda: client.cancel_task(TaskIdParams(id='t1', metadata={'why': 'x'}))),
            ('resubscribe', lambda: stream(client.resubscribe(TaskIdParams(id='t1')))),
            ('set push', lambda: client.set_task_callback(
                TaskPushNotificationConfig(task_id='t1', push_notification_config=PUSH))),
            ('get push', lambda: client.get_task_callback(
                GetTaskPushNotificationConfigParams(id='t1', push_notification_config_id='cfg'))),
        ]
        if binding == 'jsonrpc':
            calls.append(('get the only push', lambda: client.get_task_callback(
                GetTaskPushNotificationConfigParams(id='t1'))))
        for name, call in calls:
            try:
                await call()
            except Exception:
                pass
        if binding == 'rest':
            name = 'card'
            try:
                await client._send_get_request('/v1/card', {})
            except Exception:
                pass


asyncio.run(main())
target = pathlib.Path(__file__).parent / 'requests.json'
target.write_text(json.dumps(found, indent=1) + '\n')
print(len(found), 'requests')

"""Whether the SDK 1.3 translates alike, both ways. Run with a2a-sdk[http-server]==1.3.*."""

import json
import pathlib

from google.protobuf.json_format import MessageToDict, ParseDict

from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old, conversions as conv, proto_utils, types
from a2a.types import a2a_pb2 as new

here = pathlib.Path(__file__).parent
translated = json.loads((here / 'translated.json').read_text())
sent = json.loads((here / 'requests.json').read_text())
answers = json.loads((here / 'answers.json').read_text())
FROM = proto_utils.FromProto

REQUESTS = {
    'message/send': (types.SendMessageRequest, conv.to_core_send_message_request, new.SendMessageRequest),
    'message/stream': (types.SendMessageRequest, conv.to_core_send_message_request, new.SendMessageRequest),
    'tasks/get': (types.GetTaskRequest, conv.to_core_get_task_request, new.GetTaskRequest),
    'tasks/cancel': (types.CancelTaskRequest, conv.to_core_cancel_task_request, new.CancelTaskRequest),
    'tasks/resubscribe': (types.TaskResubscriptionRequest, conv.to_core_subscribe_to_task_request, new.SubscribeToTaskRequest),
    'tasks/pushNotificationConfig/set': (types.SetTaskPushNotificationConfigRequest, conv.to_core_create_task_push_notification_config_request, new.TaskPushNotificationConfig),
    'tasks/pushNotificationConfig/get': (types.GetTaskPushNotificationConfigRequest, conv.to_core_get_task_push_notification_config_request, new.GetTaskPushNotificationConfigRequest),
}


def ours(value, message):
    return ParseDict(value, message())  # refuses unknown fields


def plain(message):
    return MessageToDict(message)


bad = []
for one, mine in zip(sent, translated['requests'], strict=True):
    name = f"{one['binding']} {one['name']}"
    if one['binding'] == 'jsonrpc':
        model, convert, message = REQUESTS[one['method']]
        if one['name'] == 'get the only push':
            continue  # on purpose: the list is asked
        body = {'id': 1, 'params': one['params'], 'method': model.model_fields['method'].default}
        theirs = convert(model.model_validate(body))
    elif one['body'] and 'message' in one['body']:
        parsed = ParseDict(one['body'], old.SendMessageRequest())
        params = FROM.message_send_params(parsed)
        theirs = conv.to_core_send_message_request(types.SendMessageRequest(id='', params=params))
        message = new.SendMessageRequest
    elif one['name'] == 'set push':
        parsed = ParseDict(one['body'], old.CreateTaskPushNotificationConfigRequest())
        params = FROM.task_push_notification_config_request(parsed)
        theirs = conv.to_core_create_task_push_notification_config_request(
            types.SetTaskPushNotificationConfigRequest(id='', params=params))
        message = new.TaskPushNotificationConfig
    else:
        continue
    if plain(ours(mine['params'], message)) != plain(theirs):
        bad.append((name, plain(ours(mine['params'], message)), plain(theirs)))

for one, mine in zip(answers, translated['answers'], strict=True):
    operation, expected = one['operation'], one['answer']
    if operation == 'agent/getAuthenticatedExtendedCard':
        back = plain(parse_agent_card(json.loads(json.dumps(mine['jsonrpc']))))
        want = plain(ParseDict(expected, new.AgentCard()))
        if back != want:
            bad.append((one['name'], back, want))
        legacy = types.AgentCard.model_validate(mine['jsonrpc'])
        conv.to_core_agent_card(legacy)
        continue
    if 'delete' in operation or 'list' in operation:
        continue
    if 'push' in operation:
        legacy = types.TaskPushNotificationConfig.model_validate(mine['jsonrpc'])
        back = conv.to_core_task_push_notification_config(legacy)
        rest = FROM.task_push_notification_config(ParseDict(mine['rest'], old.TaskPushNotificationConfig()))
        rest = conv.to_core_task_push_notification_config(rest)
        want = ours(expected, new.TaskPushNotificationConfig)
    elif operation in ('tasks/get', 'tasks/cancel'):
        back = conv.to_core_task(types.Task.model_validate(mine['jsonrpc']))
        rest = None if 'fileWithBytes' in json.dumps(mine['rest']) else conv.to_core_task(
            FROM.task(ParseDict(mine['rest'], old.Task())))
        want = ours(expected, new.Task)
    else:
        legacy = types.SendStreamingMessageSuccessResponse.model_validate({'id': 1, 'result': mine['jsonrpc']})
        back = conv.to_core_stream_response(legacy)
        rest = None
        if 'fileWithBytes' not in json.dumps(mine['rest']):
            read = FROM.stream_response(ParseDict(mine['rest'], old.StreamResponse()))
            rest = conv.to_core_stream_response(types.SendStreamingMessageSuccessResponse(id=1, result=read))
        want = ours(expected, new.StreamResponse)
    for form, back in (('jsonrpc', back), ('rest', rest)):
        if back is not None and plain(back) != plain(want):
            bad.append((form + ' ' + one['name'], plain(back), plain(want)))

for name, mine, theirs in bad:
    print('DIFFERS', name, '\n  ', json.dumps(mine), '\n  ', json.dumps(theirs))
print(len(sent), 'requests,', len(answers), 'answers,', len(bad), 'differ')

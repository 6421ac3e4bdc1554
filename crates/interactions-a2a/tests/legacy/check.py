"""Whether the 0.3 SDK reads translated.json. Run with a2a-sdk[http-server]==0.3.*."""

import json
import pathlib

from google.protobuf.json_format import ParseDict

from a2a import types
from a2a.client.transports.jsonrpc import SendMessageResponse, SendStreamingMessageResponse
from a2a.grpc import a2a_pb2 as pb
from a2a.utils import proto_utils

RESPONSES = {
    'message/send': SendMessageResponse,
    'message/stream': SendStreamingMessageResponse,
    'tasks/resubscribe': SendStreamingMessageResponse,
    'tasks/get': types.GetTaskResponse,
    'tasks/cancel': types.CancelTaskResponse,
    'tasks/pushNotificationConfig/set': types.SetTaskPushNotificationConfigResponse,
    'tasks/pushNotificationConfig/get': types.GetTaskPushNotificationConfigResponse,
    'tasks/pushNotificationConfig/list': types.ListTaskPushNotificationConfigResponse,
    'tasks/pushNotificationConfig/delete': types.DeleteTaskPushNotificationConfigResponse,
    'agent/getAuthenticatedExtendedCard': types.GetAuthenticatedExtendedCardResponse,
}
FROM = proto_utils.FromProto
BODIES = {
    'message/send': (pb.SendMessageResponse, FROM.task_or_message),
    'message/stream': (pb.StreamResponse, FROM.stream_response),
    'tasks/resubscribe': (pb.StreamResponse, FROM.stream_response),
    'tasks/get': (pb.Task, FROM.task),
    'tasks/cancel': (pb.Task, FROM.task),
    'tasks/pushNotificationConfig/set': (pb.TaskPushNotificationConfig, FROM.task_push_notification_config),
    'tasks/pushNotificationConfig/get': (pb.TaskPushNotificationConfig, FROM.task_push_notification_config),
    'tasks/pushNotificationConfig/list': (pb.ListTaskPushNotificationConfigResponse, None),
}


def without_nulls(value):
    if isinstance(value, dict):
        return {k: without_nulls(v) for k, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value


here = pathlib.Path(__file__).parent
translated = json.loads((here / 'translated.json').read_text())
for one in translated['answers']:
    operation = one['operation']
    read = RESPONSES[operation].model_validate({'jsonrpc': '2.0', 'id': '1', 'result': one['jsonrpc']})
    assert not isinstance(read.root, types.JSONRPCErrorResponse), one['name']
    # What the SDK read is all that was written: nothing went into a field it does not know.
    again = read.model_dump(mode='json', by_alias=True, exclude_none=True).get('result')
    if not one['name'].startswith('card'):
        assert without_nulls(again) == without_nulls(one['jsonrpc']), (one['name'], again)
    else:
        card = read.root.result
        assert card.url == 'https://agent.example/a2a' and card.preferred_transport == 'JSONRPC'
        kinds = {name: scheme.root.type for name, scheme in card.security_schemes.items()}
        assert kinds == {'bearer': 'http', 'key': 'apiKey', 'oauth': 'oauth2', 'device': 'oauth2',
                         'oidc': 'openIdConnect', 'mtls': 'mutualTLS'}, kinds
        assert card.security == [{'oauth': ['read'], 'key': []}, {'bearer': []}]
        assert card.skills[0].security == [{'bearer': []}]
        assert card.supports_authenticated_extended_card
        assert [i.transport for i in card.additional_interfaces] == ['JSONRPC', 'HTTP+JSON']
    if operation in BODIES:
        message, convert = BODIES[operation]
        parsed = ParseDict(one['rest'], message())  # refuses unknown fields, as the client does
        try:
            if convert:
                convert(parsed)
        except UnicodeDecodeError:
            # The client takes the bytes of a file for base64; see `twice_encoded`.
            assert 'iVBORw0KGgo=' in json.dumps(one['rest']), one['name']
print(len(translated['answers']), 'answers read by 0.3')

"""Signs the cards with the Python SDK, each by every key: python sign.py KEYS < cards.json > python.json"""
import json, sys
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import create_agent_card_signer
from google.protobuf.json_format import MessageToDict

keys, vectors = sys.argv[1], []
for name, card in json.load(sys.stdin).items():
    for kid, alg in [("es256", "ES256"), ("ed25519", "EdDSA"), ("rs256", "RS256")]:
        pem = open(f"{keys}/{kid}.pem").read()
        message = parse_agent_card(json.loads(json.dumps(card)))
        # One header without `typ`: the library then writes its own.
        header = {"kid": kid, "alg": alg, "typ": "JOSE"} if alg != "RS256" else {"kid": kid, "alg": alg}
        unprotected = {"note": "unprotected"} if alg == "EdDSA" else None
        signed = MessageToDict(create_agent_card_signer(pem, header, unprotected)(message))
        vectors.append({"name": f"python {name}", "kid": kid, "card": signed})
        # The same signature beside the card as it was written, with everything empty in it.
        if alg == "ES256":
            vectors.append({"name": f"python {name} as written", "kid": kid,
                            "card": {**card, "signatures": signed["signatures"]}})
print("[\n" + ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors) + "\n]")

"""Verifies signed cards with the Python SDK: python verify.py JWKS < ours.json"""
import json, sys
from a2a.client.card_resolver import parse_agent_card
from a2a.utils.signing import create_signature_verifier
from jwt import PyJWK

keys = {key["kid"]: PyJWK(key) for key in json.load(open(sys.argv[1]))["keys"]}
verify = create_signature_verifier(lambda kid, jku: keys[kid], ["ES256", "EdDSA"])
bad = 0
for vector in json.load(sys.stdin):
    try:
        verify(parse_agent_card(vector["card"])); outcome = "ok"
    except Exception as error:
        bad += 1; outcome = f"REFUSED {error!r}"
    print("python", vector["name"], vector["kid"], len(vector["card"]["signatures"]), outcome)
sys.exit(bad)

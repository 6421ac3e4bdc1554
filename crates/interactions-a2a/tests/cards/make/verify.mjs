// Verifies signed cards with the JS SDK: node verify.mjs JWKS < ours.json
import { verifyAgentCardSignature } from '@a2a-js/sdk';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
console.debug = () => {};
const text = readFileSync(0, 'utf8');
const jwks = JSON.parse(readFileSync(process.argv[2])).keys;
const verify = verifyAgentCardSignature(async (kid) => createPublicKey({ key: jwks.find((key) => key.kid === kid), format: 'jwk' }));
let bad = 0;
for (const { name, kid, card } of JSON.parse(text)) {
  let outcome = 'ok';
  try { await verify(card); } catch (error) { bad++; outcome = `REFUSED ${error}`; }
  console.log('js', name, kid, card.signatures.length, outcome);
}
process.exit(bad);
